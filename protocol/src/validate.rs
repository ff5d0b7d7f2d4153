//! Checks on what people write, in one place for clients and nodes.

use crate::error::ErrorCode;
use crate::ids::MessageNo;
use crate::limits;
use crate::model::Anchor;

/// A field's value that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct FieldError {
    /// The field.
    pub field: &'static str,
    /// Whether the value is too long or wrong.
    pub code: ErrorCode,
    /// What is wrong and what is allowed; reads after the field's name.
    pub problem: String,
}

impl FieldError {
    fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, code: ErrorCode::InvalidField, problem: problem.into() }
    }

    fn too_large(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, code: ErrorCode::TooLarge, problem: problem.into() }
    }
}

/// A message's text: not blank, at most [`limits::CONTENT_BYTES_MAX`], no NUL (which Postgres
/// cannot store).
///
/// # Errors
/// Names the limit.
pub fn content(text: &str) -> Result<(), FieldError> {
    if text.len() > limits::CONTENT_BYTES_MAX {
        let problem = format!("is {} bytes, at most {} are allowed", text.len(), limits::CONTENT_BYTES_MAX);
        return Err(FieldError::too_large("content", problem));
    }
    if text.contains('\0') {
        return Err(FieldError::invalid("content", "contains a NUL character"));
    }
    if text.chars().all(char::is_whitespace) {
        return Err(FieldError::invalid("content", "is empty"));
    }
    Ok(())
}

/// A username in the form in which it is stored: lower case; letters, digits, `.`, `_` and `-`.
///
/// # Errors
/// Names what is allowed.
pub fn username(text: &str) -> Result<String, FieldError> {
    let name = text.trim().to_lowercase();
    if !limits::USERNAME_CHARS.contains(&name.chars().count()) {
        let problem = format!(
            "is {} characters, {} to {} are allowed",
            name.chars().count(),
            limits::USERNAME_CHARS.start(),
            limits::USERNAME_CHARS.end()
        );
        return Err(FieldError::invalid("username", problem));
    }
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')) {
        return Err(FieldError::invalid(
            "username",
            "may have letters a to z, digits, '.', '_' and '-' only",
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(FieldError::invalid("username", "starts with a letter or a digit"));
    }
    if name.ends_with('.') {
        return Err(FieldError::invalid("username", "does not end with '.'"));
    }
    Ok(name)
}

/// A display name, trimmed: not blank, no control characters.
///
/// # Errors
/// Names the limit.
pub fn display_name(text: &str) -> Result<String, FieldError> {
    let name = line("display_name", text, limits::DISPLAY_NAME_CHARS_MAX)?;
    if name.is_empty() {
        return Err(FieldError::invalid("display_name", "is empty"));
    }
    Ok(name)
}

/// A password's length; what it is made of is its owner's affair.
///
/// # Errors
/// Names the limit.
pub fn password(text: &str) -> Result<(), FieldError> {
    if limits::PASSWORD_BYTES.contains(&text.len()) {
        return Ok(());
    }
    let (least, most) = (limits::PASSWORD_BYTES.start(), limits::PASSWORD_BYTES.end());
    let problem = format!("is {} bytes, {least} to {most} are allowed", text.len());
    Err(FieldError::invalid("password", problem))
}

/// A room's name: lower-case letters of any script, digits, `-` and `_`; `#` in front is dropped.
///
/// # Errors
/// Names what is allowed.
pub fn room_name(text: &str) -> Result<String, FieldError> {
    let trimmed = text.trim();
    let name = trimmed.strip_prefix('#').unwrap_or(trimmed).to_lowercase();
    if name.is_empty() {
        return Err(FieldError::invalid("name", "is empty"));
    }
    let chars = name.chars().count();
    if chars > limits::ROOM_NAME_CHARS_MAX {
        let problem = format!("is {chars} characters, at most {} are allowed", limits::ROOM_NAME_CHARS_MAX);
        return Err(FieldError::too_large("name", problem));
    }
    if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_')) {
        return Err(FieldError::invalid("name", "may have letters, digits, '-' and '_' only"));
    }
    Ok(name)
}

/// A room's topic, trimmed: one line, may be empty.
///
/// # Errors
/// Names the limit.
pub fn topic(text: &str) -> Result<String, FieldError> {
    line("topic", text, limits::TOPIC_CHARS_MAX)
}

/// An emoji: short, no letters, digits alone, spaces or control characters.
///
/// # Errors
/// Names the limit.
pub fn emoji(text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(FieldError::invalid("emoji", "is empty"));
    }
    if text.len() > limits::EMOJI_BYTES_MAX {
        let problem = format!("is {} bytes, at most {} are allowed", text.len(), limits::EMOJI_BYTES_MAX);
        return Err(FieldError::too_large("emoji", problem));
    }
    let plain = |c: char| c.is_alphabetic() || c.is_whitespace() || c.is_control();
    if text.chars().any(plain) || text.is_ascii() {
        return Err(FieldError::invalid("emoji", "is not an emoji"));
    }
    Ok(())
}

/// The one anchor among three.
///
/// # Errors
/// When more than one is given.
pub fn anchor(
    before: Option<MessageNo>,
    after: Option<MessageNo>,
    around: Option<MessageNo>,
) -> Result<Anchor, FieldError> {
    match (before, after, around) {
        (None, None, None) => Ok(Anchor::Latest),
        (Some(no), None, None) => Ok(Anchor::Before(no)),
        (None, Some(no), None) => Ok(Anchor::After(no)),
        (None, None, Some(no)) => Ok(Anchor::Around(no)),
        (Some(_), ..) => Err(FieldError::invalid("before", "excludes after and around")),
        (None, Some(_), Some(_)) => Err(FieldError::invalid("after", "excludes around")),
    }
}

/// How many entries a page has: at least one, at most [`limits::PAGE_MAX`].
///
/// # Errors
/// Names the limit.
pub fn page_limit(limit: Option<u32>) -> Result<u32, FieldError> {
    let limit = limit.unwrap_or(limits::PAGE_DEFAULT);
    if (1..=limits::PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(FieldError::invalid("limit", format!("is {limit}, 1 to {} are allowed", limits::PAGE_MAX)))
}

/// The usernames that a text mentions (`@name`), lower case, each once, in order, at most
/// [`limits::MENTIONS_MAX`].
#[must_use]
pub fn mentions(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let starts = c == '@' && !before.is_alphanumeric() && before != '@';
        before = c;
        if !starts {
            continue;
        }
        let rest = &text[at + 1..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
            .unwrap_or(rest.len());
        let Ok(name) = username(rest[..end].trim_end_matches(['.', '-', '_'])) else { continue };
        if !names.contains(&name) {
            names.push(name);
            if names.len() == limits::MENTIONS_MAX {
                break;
            }
        }
    }
    names
}

fn line(field: &'static str, text: &str, chars_max: usize) -> Result<String, FieldError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars > chars_max {
        let problem = format!("is {chars} characters, at most {chars_max} are allowed");
        return Err(FieldError::too_large(field, problem));
    }
    if text.chars().any(char::is_control) {
        return Err(FieldError::invalid(field, "contains a control character"));
    }
    Ok(text.to_owned())
}
