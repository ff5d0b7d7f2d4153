//! Migrations only go forward: `NNNN_what_it_does.sql`, numbered from 0001 without gap or repeat.

use super::{Tree, Violation};
use std::collections::BTreeMap;

const FOLDER: &str = "migrations/";

/// Checks the names of all migrations.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_store: BTreeMap<&str, u32> = BTreeMap::new();
    for (path, _) in tree.below(FOLDER, ".sql") {
        let Some((store, name)) = path[FOLDER.len()..].split_once('/') else {
            found.push(Violation::new(path, 1, "lies in no store's folder"));
            continue;
        };
        // The tree is in order of its paths, so the numbers must count up.
        let expected = by_store.entry(store).or_default();
        *expected += 1;
        let well_named = name.len() > ".sql".len() + 5
            && name
                .trim_end_matches(".sql")
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !well_named || !name.starts_with(&format!("{expected:04}_")) {
            let text = format!(
                "expected a name like {expected:04}_what_it_does.sql: forward only, no gap, no repeat"
            );
            found.push(Violation::new(path, 1, text));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> usize {
        let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
        check(&Tree::of(&files)).len()
    }

    #[test]
    fn names_that_count_up_are_fine() {
        assert_eq!(found(&["migrations/sqlite/0001_start.sql", "migrations/sqlite/0002_pins.sql"]), 0);
        assert_eq!(found(&["migrations/sqlite/0001_start.sql", "migrations/postgres/0001_start.sql"]), 0);
    }

    #[test]
    fn gaps_repeats_and_ways_back_are_found() {
        assert_eq!(found(&["migrations/sqlite/0002_start.sql"]), 1);
        assert_eq!(found(&["migrations/sqlite/0001_a.sql", "migrations/sqlite/0003_c.sql"]), 1);
        assert_eq!(found(&["migrations/sqlite/0001_a.sql", "migrations/sqlite/0001_b.sql"]), 1);
        assert_eq!(found(&["migrations/sqlite/0001_a.down.sql"]), 1);
        assert_eq!(found(&["migrations/sqlite/1_a.sql"]), 1);
        assert_eq!(found(&["migrations/0001_a.sql"]), 1);
    }
}
