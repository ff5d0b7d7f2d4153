//! Reads Rust as tokens: the paths that a file names, macros included, comments, strings and
//! `#[cfg(test)]` items left out. Knows nothing of any rule.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeMap;

/// A path of at least two segments, as written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathUse {
    /// The path from the crate's root (`["crate", …]`) or from another crate (`["tokio", …]`).
    pub(super) path: Vec<String>,
    /// The line, from 1.
    pub(super) line: usize,
}

/// The paths that a file names. `module` is the file's own module below its crate's root.
///
/// # Errors
/// When the text is no Rust.
pub(super) fn paths(text: &str, module: &[String]) -> Result<Vec<PathUse>, String> {
    let stream: TokenStream = text.parse().map_err(|error| format!("is not Rust: {error}"))?;
    let mut reader = Reader::default();
    reader.items(&trees(stream), module);
    Ok(reader.resolved())
}

/// The token trees of a stream.
pub(super) fn trees(stream: TokenStream) -> Vec<TokenTree> {
    stream.into_iter().collect()
}

/// The text of an identifier.
pub(super) fn ident(tree: Option<&TokenTree>) -> Option<String> {
    if let Some(TokenTree::Ident(ident)) = tree { Some(ident.to_string()) } else { None }
}

/// Whether a token is this punctuation mark.
pub(super) fn is_punct(tree: Option<&TokenTree>, mark: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// What stands in a group with these delimiters.
pub(super) fn group(tree: Option<&TokenTree>, delimiter: Delimiter) -> Option<Vec<TokenTree>> {
    match tree {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(trees(group.stream())),
        _ => None,
    }
}

#[derive(Default)]
struct Reader {
    /// Paths with the module in which they stand.
    found: Vec<(Vec<String>, PathUse)>,
    /// What `use` brings into a module: module and name to the whole path.
    imports: BTreeMap<(Vec<String>, String), Vec<String>>,
}

impl Reader {
    fn items(&mut self, tokens: &[TokenTree], module: &[String]) {
        let mut at = 0;
        while at < tokens.len() {
            if let Some(after) = skip_test_item(tokens, at) {
                at = after;
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "use" => at = self.use_item(tokens, at + 1, module),
                TokenTree::Ident(word) if word == "mod" => at = self.mod_item(tokens, at + 1, module),
                TokenTree::Ident(_) => at = self.path(tokens, at, module),
                TokenTree::Group(inner) => {
                    self.items(&trees(inner.stream()), module);
                    at += 1;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }

    /// `mod name;` or `mod name { … }`: a name of its own in the module.
    fn mod_item(&mut self, tokens: &[TokenTree], at: usize, module: &[String]) -> usize {
        let Some(name) = ident(tokens.get(at)) else { return at };
        let inner = [module, std::slice::from_ref(&name)].concat();
        self.imports.insert((module.to_vec(), name), [&["crate".to_owned()], inner.as_slice()].concat());
        match group(tokens.get(at + 1), Delimiter::Brace) {
            Some(body) => {
                self.items(&body, &inner);
                at + 2
            }
            None => at + 1,
        }
    }

    /// A path in code, turbofish and all.
    fn path(&mut self, tokens: &[TokenTree], start: usize, module: &[String]) -> usize {
        let (path, line, at) = segments(tokens, start);
        if path.len() > 1 {
            self.found.push((module.to_vec(), PathUse { path, line }));
        }
        at
    }

    fn use_item(&mut self, tokens: &[TokenTree], start: usize, module: &[String]) -> usize {
        let end = (start..tokens.len()).find(|at| is_punct(tokens.get(*at), ';')).unwrap_or(tokens.len());
        self.use_list(&tokens[start..end], &[], module);
        end + 1
    }

    /// The comma-separated trees of a `use`, each below `prefix`.
    fn use_list(&mut self, tokens: &[TokenTree], prefix: &[String], module: &[String]) {
        for tree in tokens.split(|token| is_punct(Some(token), ',')) {
            let Some(start) = (0..tree.len()).find(|at| !is_punct(tree.get(*at), ':')) else { continue };
            let (mut path, line, at) = if ident(tree.get(start)).is_some() {
                segments(tree, start)
            } else {
                (Vec::new(), tree[start].span().start().line, start)
            };
            path.splice(0..0, prefix.iter().cloned());
            if let Some(inner) = group(tree.get(at), Delimiter::Brace) {
                self.use_list(&inner, &path, module);
                continue;
            }
            if path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let renamed =
                if ident(tree.get(at)).as_deref() == Some("as") { ident(tree.get(at + 1)) } else { None };
            if let Some(name) = renamed.or_else(|| path.last().cloned()) {
                self.imports.insert((module.to_vec(), name), path.clone());
            }
            self.found.push((module.to_vec(), PathUse { path, line }));
        }
    }

    fn resolved(self) -> Vec<PathUse> {
        self.found
            .iter()
            .map(|(module, found)| PathUse { path: self.resolve(module, &found.path, 0), line: found.line })
            .collect()
    }

    /// The path from the crate's root or from another crate.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Vec<String> {
        let from = |module: &[String], rest: &[String]| [&["crate".to_owned()], module, rest].concat();
        match path.first().map(String::as_str) {
            Some("self") => from(module, &path[1..]),
            Some("super") => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                from(&module[..module.len().saturating_sub(ups)], &path[ups..])
            }
            Some(first) if depth < 8 => match self.imports.get(&(module.to_vec(), first.to_owned())) {
                Some(import) if import != path && import.as_slice() != [first] => {
                    self.resolve(module, &[import.as_slice(), &path[1..]].concat(), depth + 1)
                }
                _ => path.to_vec(),
            },
            _ => path.to_vec(),
        }
    }
}

/// The segments of the path that starts here, its line, and what comes after it.
fn segments(tokens: &[TokenTree], start: usize) -> (Vec<String>, usize, usize) {
    let line = tokens[start].span().start().line;
    let mut path: Vec<String> = ident(tokens.get(start)).into_iter().collect();
    let mut at = start + 1;
    while is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':') {
        at += 2;
        match ident(tokens.get(at)) {
            Some(segment) => path.push(segment),
            None if is_punct(tokens.get(at), '*') => path.push("*".to_owned()),
            None => return (path, line, at),
        }
        at += 1;
    }
    (path, line, at)
}

/// If `#[cfg(test)]` starts here: what comes after the item under it.
fn skip_test_item(tokens: &[TokenTree], start: usize) -> Option<usize> {
    let attribute = |at: usize| {
        if !is_punct(tokens.get(at), '#') {
            return None;
        }
        group(tokens.get(at + 1), Delimiter::Bracket)
    };
    if !is_test_attribute(&attribute(start)?) {
        return None;
    }
    let mut at = start + 2;
    while attribute(at).is_some() {
        at += 2;
    }
    while at < tokens.len() {
        at += 1;
        if is_punct(tokens.get(at - 1), ';') || group(tokens.get(at - 1), Delimiter::Brace).is_some() {
            break;
        }
    }
    Some(at)
}

/// `cfg(test)` or `cfg(all(test, …))`.
fn is_test_attribute(attribute: &[TokenTree]) -> bool {
    if ident(attribute.first()).as_deref() != Some("cfg") {
        return false;
    }
    let Some(inner) = group(attribute.get(1), Delimiter::Parenthesis) else { return false };
    match ident(inner.first()).as_deref() {
        Some("test") => inner.len() == 1,
        Some("all") => group(inner.get(1), Delimiter::Parenthesis)
            .is_some_and(|all| all.iter().any(|token| ident(Some(token)).as_deref() == Some("test"))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let module = ["room".to_owned(), "feed".to_owned()];
        let mut all: Vec<String> =
            paths(text, &module).unwrap().into_iter().map(|found| found.path.join("::")).collect();
        all.dedup();
        all
    }

    #[test]
    fn use_trees_are_told_apart() {
        assert_eq!(
            found("use a::{b, c::{self, d as e}, f::*}; use ::g;"),
            ["a::b", "a::c", "a::c::d", "a::f::*", "g"]
        );
    }

    #[test]
    fn relative_paths_start_at_the_root() {
        assert_eq!(
            found("use super::ring; mod x { use super::y; use self::z; } mod w; use w::v;"),
            [
                "crate::room::ring",
                "crate::room::feed::y",
                "crate::room::feed::x::z",
                "crate::room::feed::w::v"
            ]
        );
    }

    #[test]
    fn imported_names_are_followed_into_code_and_macros() {
        assert_eq!(
            found("use crate::store; use tokio as t; fn f() { store::sqlite::open(); m!(t::spawn(x)); }"),
            ["crate::store", "tokio", "crate::store::sqlite::open", "tokio::spawn"]
        );
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let text = "
            //! See a::b.
            /* a::b */ const S: &str = \"a::b\";
            #[cfg(test)] use a::b;
            #[cfg(test)] #[path = \"x\"] mod tests { use a::b; }
            #[cfg(all(test, unix))] fn f() -> a::b { a::b }
            #[cfg(not(test))] use c::d;
        ";
        assert_eq!(found(text), ["c::d"]);
    }
}
