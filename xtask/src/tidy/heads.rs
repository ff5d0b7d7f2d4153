//! Each Rust file says in its head what it owns, and none grows without end.

use super::{Tree, Violation};

/// Most lines of a file's head.
const HEAD_LINES_MAX: usize = 6;
/// A file seldom has more lines.
const FILE_LINES_USUAL: usize = 400;
/// No file has more lines.
const FILE_LINES_MAX: usize = 500;
/// What is written by hand and read by people.
const SOURCES: [&str; 5] = [".rs", ".ts", ".svelte", ".css", ".js"];

/// Checks heads and lengths.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let heads =
        tree.below("", ".rs").filter_map(|(path, text)| Some(Violation::new(path, 1, head_fault(text)?)));
    let lengths = lengths(tree).filter(|(_, lines)| *lines > FILE_LINES_MAX).map(|(path, lines)| {
        Violation::new(
            path,
            lines,
            format!("has {lines} lines, at most {FILE_LINES_MAX}: split it by subject"),
        )
    });
    heads.chain(lengths).collect()
}

/// Files that are longer than usual, though not too long.
pub(super) fn long_files(tree: &Tree) -> Vec<String> {
    lengths(tree)
        .filter(|(_, lines)| (FILE_LINES_USUAL + 1..=FILE_LINES_MAX).contains(lines))
        .map(|(path, lines)| {
            format!("{path} has {lines} lines; a file seldom has more than {FILE_LINES_USUAL}")
        })
        .collect()
}

fn lengths(tree: &Tree) -> impl Iterator<Item = (&str, usize)> {
    tree.iter()
        .filter(|(path, _)| SOURCES.iter().any(|end| path.ends_with(end)) && !is_generated(path))
        .map(|(path, text)| (path, text.lines().count()))
}

fn is_generated(path: &str) -> bool {
    path.starts_with("web/src/lib/protocol/")
}

fn head_fault(text: &str) -> Option<String> {
    let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let said = head.iter().filter(|line| !line.trim_start_matches("//!").trim().is_empty()).count();
    match said {
        0 => Some("does not begin with `//!`: what does the file own, what must it not do?".to_owned()),
        said if said > HEAD_LINES_MAX => Some(format!("its head has {said} lines, at most {HEAD_LINES_MAX}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_an_empty_and_an_endless_head_are_found() {
        assert!(found("a.rs", "fn f() {}\n//! Late.")[0].contains("does not begin"));
        assert!(found("a.rs", "//!\nfn f() {}")[0].contains("does not begin"));
        assert!(found("a.rs", "")[0].contains("does not begin"));
        assert!(found("a.rs", &"//! Line.\n".repeat(7))[0].contains("7 lines, at most 6"));
    }

    #[test]
    fn a_proper_head_is_fine() {
        assert!(found("a.rs", "//! Owns a.\n//!\n//! Must not b.\nfn f() {}").is_empty());
        assert!(found("a.rs", &"//! Line.\n".repeat(6)).is_empty());
        assert!(found("a.py", "no head").is_empty());
    }

    #[test]
    fn a_file_without_end_is_found_and_a_long_one_is_told() {
        let lines = |count: usize| "//! Line.\n".to_owned() + &"x\n".repeat(count - 1);
        assert!(found("a.rs", &lines(501))[0].contains("501 lines, at most 500"));
        assert!(found("web/a.svelte", &"x\n".repeat(501))[0].contains("split it"));
        assert!(found("a.rs", &lines(500)).is_empty());
        assert!(found("web/src/lib/protocol/A.ts", &"x\n".repeat(501)).is_empty());
        assert_eq!(long_files(&Tree::of(&[("a.rs", &lines(401)), ("b.rs", &lines(400))])).len(), 1);
    }
}
