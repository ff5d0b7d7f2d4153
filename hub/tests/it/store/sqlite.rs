//! What is of SQLite alone: the file.
