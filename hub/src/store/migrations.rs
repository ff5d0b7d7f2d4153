//! The schemas' migrations, embedded. Their texts are in `migrations/`, one folder a database.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::sync::LazyLock;

/// Names a migration's file without its folder, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../../migrations/", $folder, "/", $name)))),*]
    };
}

const SQLITE_FILES: &[File] = files!("sqlite": "0001_initial.sql",);
const POSTGRES_FILES: &[File] = files!("postgres": "0001_initial.sql",);

/// SQLite's.
pub(super) static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(SQLITE_FILES));
/// Postgres's.
pub(super) static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(POSTGRES_FILES));

/// The newest version of a schema that this hub knows.
pub(super) fn known(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn migrator(files: &[File]) -> Migrator {
    let migration = |(name, text): &File| {
        let (version, description) = name
            .strip_suffix(".sql")
            .and_then(|name| name.split_once('_'))
            .expect("a migration's file is named VERSION_DESCRIPTION.sql, which a test holds");
        let version = version.parse().expect("a migration's version is a number, which a test holds");
        let description = description.replace('_', " ").into();
        Migration::new(version, description, MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_folders_is_embedded_in_order() {
        for (folder, files, migrator) in
            [("sqlite", SQLITE_FILES, &SQLITE), ("postgres", POSTGRES_FILES, &POSTGRES)]
        {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(folder);
            let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string();
            let mut there: Vec<_> = folder.read_dir().unwrap().map(|entry| name(entry).unwrap()).collect();
            there.sort();
            assert_eq!(files.iter().map(|(name, _)| *name).collect::<Vec<_>>(), there);
            let versions: Vec<_> = migrator.iter().map(|migration| migration.version).collect();
            assert_eq!(versions, (1..=i64::try_from(there.len()).unwrap()).collect::<Vec<_>>());
        }
    }
}
