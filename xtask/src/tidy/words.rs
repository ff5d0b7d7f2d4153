//! Words that do not belong into the project's files: a registry's host, a path of one machine, a
//! note to oneself that refers to nothing.

use super::{Tree, Violation};

/// Hosts of package registries: clients know them, files that name them break behind a mirror.
/// Written in parts, so that this file does not hold them.
const HOSTS: &[&str] = &[
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("static.", "rust-lang.org"),
    concat!("py", "pi.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("deb.", "debian.org"),
];
/// Where one machine keeps its users' files.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Where notes to oneself are looked for.
const CODE: &[&str] = &[".rs", ".ts", ".svelte", ".css", ".js", ".sql", ".toml", ".sh", ".yml", ".html"];

/// Checks every line of every file.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.iter()
        .flat_map(|(path, text)| {
            let is_code = CODE.iter().any(|end| path.ends_with(end));
            text.lines()
                .enumerate()
                .filter_map(move |(index, line)| Some(Violation::new(path, index + 1, fault(line, is_code)?)))
        })
        .collect()
}

fn fault(line: &str, is_code: bool) -> Option<String> {
    if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
        return Some(format!("names the registry {host}"));
    }
    if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| names_folder(line, folder)) {
        return Some(format!("names a path below {folder}, which other machines lack"));
    }
    if is_code && let Some(note) = NOTES.iter().find(|note| is_loose_note(line, note)) {
        return Some(format!("a {note} names the issue it waits for, as in {note}(#12)"));
    }
    None
}

/// Whether an absolute path below `folder` stands here, not the inside of a longer one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}$*".contains(c)))
}

fn is_loose_note(line: &str, note: &str) -> bool {
    line.match_indices(note).any(|(at, _)| {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let after = &line[at + note.len()..];
        !line[..at].ends_with(in_word) && !after.starts_with(in_word) && !after.starts_with("(#")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn planted_words_are_found() {
        assert_eq!(found("web/package-lock.json", &format!("\"https://{}/x.tgz\"", HOSTS[0])), 1);
        assert_eq!(found("a.md", &format!("see `{}me/x`", MACHINE_FOLDERS[1])), 1);
        assert_eq!(found("a.toml", &format!("target = \"{}x\"", MACHINE_FOLDERS[3])), 1);
        assert_eq!(found("a.rs", &format!("// {}: later", NOTES[0])), 1);
        assert_eq!(found("a.ts", &format!("\n// {} broken", NOTES[1])), 1);
    }

    #[test]
    fn their_like_is_not() {
        assert_eq!(found("a.rs", &format!("// {}(#12): later; {}_LIST", NOTES[0], NOTES[0])), 0);
        assert_eq!(found("a.md", &format!("no {} without an issue", NOTES[0])), 0);
        assert_eq!(found("a.rs", &format!("let path = \"/api{}rooms\";", MACHINE_FOLDERS[1])), 0);
        assert_eq!(found("a.md", "the crates.io index"), 0);
    }
}
