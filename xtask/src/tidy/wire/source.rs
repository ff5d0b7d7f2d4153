//! Reads `protocol`'s source as tokens: which structs, enums and tables of macros there are, and
//! what of them goes over the wire.

use super::super::tokens::{group, ident, is_punct, trees};
use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// What serde may be told without this file knowing more: none of it changes a name.
const SERDE_KNOWN: &[&str] =
    &["default", "skip_serializing_if", "deserialize_with", "tag", "rename_all", "transparent"];

/// A place in the source.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) path: String,
    pub(super) line: usize,
}

/// Something that the document has to say.
pub(super) struct Fact {
    pub(super) at: At,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// A frame's `type` or a shared object has a section.
    Section { name: String },
    /// The section names the field.
    Field { section: String, name: String },
    /// A value or code stands somewhere.
    Word { word: String, what: String },
}

/// All facts, and what could not be understood.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) facts: Vec<Fact>,
    pub(super) unknown: Vec<(At, String)>,
}

struct Field {
    at: At,
    name: String,
    /// The names in its type.
    types: Vec<String>,
    serde: Vec<String>,
}

struct Variant {
    at: At,
    name: String,
    /// The names in its payload.
    types: Vec<String>,
    fields: Vec<Field>,
}

struct Item {
    at: At,
    serde: Vec<String>,
    fields: Vec<Field>,
    variants: Vec<Variant>,
}

/// The source read so far.
#[derive(Default)]
pub(super) struct Source {
    structs: BTreeMap<String, Item>,
    enums: BTreeMap<String, Item>,
    /// Frames: `type` and the struct with the fields.
    frames: Vec<(At, String, Option<String>)>,
    close_codes: Vec<(At, String)>,
}

impl Source {
    pub(super) fn is_empty(&self) -> bool {
        self.structs.is_empty()
            && self.enums.is_empty()
            && self.frames.is_empty()
            && self.close_codes.is_empty()
    }

    /// A file that must hold frames, in which none were found.
    pub(super) fn without_frames(&self) -> Option<&'static str> {
        ["protocol/src/frame/client.rs", "protocol/src/frame/server.rs", "protocol/src/event.rs"]
            .into_iter()
            .find(|path| !self.frames.iter().any(|(at, _, of)| at.path == **path && of.is_some()))
    }

    /// Reads one file.
    ///
    /// # Errors
    /// When it is no Rust.
    pub(super) fn read(&mut self, path: &str, text: &str) -> Result<(), String> {
        let stream: TokenStream = text.parse().map_err(|error| format!("is not Rust: {error}"))?;
        let tokens = trees(stream);
        let mut serde = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            if let Some(attribute) = attribute(&tokens, index) {
                serde.extend(serde_words(&attribute));
                continue;
            }
            let TokenTree::Ident(word) = token else { continue };
            let name = ident(tokens.get(index + 1)).unwrap_or_default();
            let at = At { path: path.to_owned(), line: word.span().start().line };
            let body = group(tokens.get(index + 2), Delimiter::Brace);
            match (word.to_string().as_str(), body) {
                ("struct", Some(body)) => {
                    let fields = fields(path, &body);
                    let item = Item { at, serde: std::mem::take(&mut serde), fields, variants: Vec::new() };
                    self.structs.insert(name, item);
                }
                ("enum", Some(body)) => {
                    let variants = variants(path, &body);
                    let item = Item { at, serde: std::mem::take(&mut serde), fields: Vec::new(), variants };
                    self.enums.insert(name, item);
                }
                ("fn" | "impl" | "const" | "use" | "struct", _) => serde.clear(),
                ("server_messages", Some(body)) if is_punct(tokens.get(index + 1), '!') => {
                    self.server(path, &body)
                }
                ("room_events", Some(body)) if is_punct(tokens.get(index + 1), '!') => {
                    self.events(path, &body)
                }
                ("close_codes", Some(body)) if is_punct(tokens.get(index + 1), '!') => {
                    self.close(path, &body)
                }
                _ => {}
            }
        }
        if let Some(client) = self.enums.remove("ClientMessage") {
            for variant in client.variants {
                self.frames.push((variant.at, snake_case(&variant.name), variant.types.into_iter().next()));
            }
        }
        Ok(())
    }

    /// `control { Name(Type), … } events { Name, … }`; `Pong` is the macro's own.
    fn server(&mut self, path: &str, body: &[TokenTree]) {
        self.frames.push((At { path: path.to_owned(), line: 1 }, "pong".to_owned(), None));
        for index in 0..body.len() {
            let Some(inner) = group(body.get(index + 1), Delimiter::Brace) else { continue };
            if ident(body.get(index)).as_deref() == Some("control") {
                for variant in variants(path, &inner) {
                    self.frames.push((
                        variant.at,
                        snake_case(&variant.name),
                        variant.types.into_iter().next(),
                    ));
                }
            }
        }
    }

    /// `Name / "kind" { field: Type, … } …`; every event has `room_id` and `seq` besides.
    fn events(&mut self, path: &str, body: &[TokenTree]) {
        for index in 0..body.len() {
            let (Some(TokenTree::Ident(name)), true, Some(TokenTree::Literal(kind)), Some(inner)) = (
                body.get(index),
                is_punct(body.get(index + 1), '/'),
                body.get(index + 2),
                group(body.get(index + 3), Delimiter::Brace),
            ) else {
                continue;
            };
            let at = At { path: path.to_owned(), line: name.span().start().line };
            let mut all = fields(path, &inner);
            for name in ["room_id", "seq"] {
                all.push(Field {
                    at: at.clone(),
                    name: name.to_owned(),
                    types: Vec::new(),
                    serde: Vec::new(),
                });
            }
            let item = Item { at: at.clone(), serde: Vec::new(), fields: all, variants: Vec::new() };
            self.structs.insert(name.to_string(), item);
            self.frames.push((at, unquoted(kind), Some(name.to_string())));
        }
    }

    /// `Name = 4000, "reason"; …`
    fn close(&mut self, path: &str, body: &[TokenTree]) {
        for index in 0..body.len() {
            if let (true, Some(TokenTree::Literal(code))) =
                (is_punct(body.get(index), '='), body.get(index + 1))
            {
                let at = At { path: path.to_owned(), line: code.span().start().line };
                // Of `#[doc = "…"]` and the like there is a text, not a number.
                if code.to_string().chars().all(|c| c.is_ascii_digit()) {
                    self.close_codes.push((at, code.to_string()));
                }
            }
        }
    }

    /// What of it goes over the wire: frames, and whatever their fields lead to.
    pub(super) fn wire(&self) -> Wire {
        let mut wire = Wire::default();
        let mut seen = BTreeSet::new();
        let mut pending: Vec<String> = vec!["ErrorCode".to_owned()];
        for (at, kind, of) in &self.frames {
            wire.section(at, kind);
            let Some(item) = of.as_ref().and_then(|of| self.structs.get(of)) else { continue };
            seen.extend(of.clone());
            pending.extend(wire.fields(kind, item));
        }
        while let Some(name) = pending.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(item) = self.structs.get(&name) {
                wire.section(&item.at, &name);
                pending.extend(wire.fields(&name, item));
            } else if let Some(item) = self.enums.get(&name) {
                pending.extend(wire.values(&name, item));
            }
        }
        for (at, code) in &self.close_codes {
            wire.word(at, code, "close code");
        }
        wire
    }
}

impl Wire {
    fn section(&mut self, at: &At, name: &str) {
        self.facts.push(Fact { at: at.clone(), kind: Kind::Section { name: name.to_owned() } });
    }

    fn word(&mut self, at: &At, word: &str, what: &str) {
        let kind = Kind::Word { word: word.to_owned(), what: what.to_owned() };
        self.facts.push(Fact { at: at.clone(), kind });
    }

    /// The fields of a struct, and the types that they lead to.
    fn fields(&mut self, section: &str, item: &Item) -> Vec<String> {
        self.serde(&item.at, &item.serde);
        for field in &item.fields {
            self.serde(&field.at, &field.serde);
            let kind = Kind::Field { section: section.to_owned(), name: field.name.clone() };
            self.facts.push(Fact { at: field.at.clone(), kind });
        }
        item.fields.iter().flat_map(|field| field.types.clone()).collect()
    }

    /// The values of an enum, and the types that they lead to.
    fn values(&mut self, name: &str, item: &Item) -> Vec<String> {
        self.serde(&item.at, &item.serde);
        let mut types = Vec::new();
        for variant in &item.variants {
            self.word(&variant.at, &snake_case(&variant.name), &format!("value of {name}"));
            for field in &variant.fields {
                self.word(&field.at, &field.name, &format!("field of {name}"));
                types.extend(field.types.clone());
            }
            types.extend(variant.types.clone());
        }
        types
    }

    fn serde(&mut self, at: &At, words: &[String]) {
        for word in words.iter().filter(|word| !SERDE_KNOWN.contains(&word.as_str())) {
            let text =
                format!("serde({word}) may change what goes over the wire: teach the tidy test about it");
            self.unknown.push((at.clone(), text));
        }
    }
}

/// The attribute that starts here, without its brackets.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<Vec<TokenTree>> {
    if is_punct(tokens.get(at), '#') { group(tokens.get(at + 1), Delimiter::Bracket) } else { None }
}

/// What an attribute tells serde.
fn serde_words(attribute: &[TokenTree]) -> Vec<String> {
    if ident(attribute.first()).as_deref() != Some("serde") {
        return Vec::new();
    }
    let inner = group(attribute.get(1), Delimiter::Parenthesis).unwrap_or_default();
    inner.split(|token| is_punct(Some(token), ',')).filter_map(|part| ident(part.first())).collect()
}

/// `#[…] pub name: Type, …`
fn fields(path: &str, body: &[TokenTree]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut serde = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if let Some(attribute) = attribute(body, at) {
            serde.extend(serde_words(&attribute));
            at += 2;
            continue;
        }
        let is_name = is_punct(body.get(at + 1), ':') && !is_punct(body.get(at + 2), ':');
        let (true, Some(TokenTree::Ident(name))) = (is_name, body.get(at)) else {
            at += 1;
            continue;
        };
        let end = end_of_type(body, at + 2);
        fields.push(Field {
            at: At { path: path.to_owned(), line: name.span().start().line },
            name: name.to_string().trim_start_matches("r#").to_owned(),
            types: names(&body[at + 2..end]),
            serde: std::mem::take(&mut serde),
        });
        at = end + 1;
    }
    fields
}

/// Where the comma after a type stands, those between angle brackets left out.
fn end_of_type(body: &[TokenTree], start: usize) -> usize {
    let mut depth = 0_i32;
    for at in start..body.len() {
        if is_punct(body.get(at), '<') {
            depth += 1;
        } else if is_punct(body.get(at), '>') {
            depth -= 1;
        } else if depth == 0 && is_punct(body.get(at), ',') {
            return at;
        }
    }
    body.len()
}

/// `#[…] Name, Name(Type), Name { field: Type }, …`
fn variants(path: &str, body: &[TokenTree]) -> Vec<Variant> {
    let mut variants = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if attribute(body, at).is_some() {
            at += 2;
            continue;
        }
        if let TokenTree::Ident(name) = &body[at] {
            let tuple = group(body.get(at + 1), Delimiter::Parenthesis).unwrap_or_default();
            let inner = group(body.get(at + 1), Delimiter::Brace).unwrap_or_default();
            variants.push(Variant {
                at: At { path: path.to_owned(), line: name.span().start().line },
                name: name.to_string(),
                types: names(&tuple),
                fields: fields(path, &inner),
            });
            at = end_of_type(body, at);
        }
        at += 1;
    }
    variants
}

/// Every identifier of a type.
fn names(tokens: &[TokenTree]) -> Vec<String> {
    tokens
        .iter()
        .flat_map(|token| match token {
            TokenTree::Ident(name) => vec![name.to_string()],
            TokenTree::Group(inner) => names(&trees(inner.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
        })
        .collect()
}

fn unquoted(literal: &Literal) -> String {
    literal.to_string().trim_matches('"').to_owned()
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
