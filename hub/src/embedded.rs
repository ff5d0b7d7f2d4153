//! The page inside the binary. Here and not in the library, so that a changed page links the
//! binary anew and compiles nothing else.

use bytes::Bytes;
use hub::http::{PageFile, Pages};
use rust_embed::RustEmbed;
use std::borrow::Cow;
use std::path::Path;

/// Set by `cargo xtask run` and different for every page: cargo would not see that a folder has
/// new files.
const _: Option<&str> = option_env!("HUB_PAGE_PRINT");

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/dist");

/// The page as it was built, in the binary; a debug build reads it from disk each time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EmbeddedPages;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

impl Pages for EmbeddedPages {
    fn file(&self, name: &str) -> Option<PageFile> {
        let file = if cfg!(debug_assertions) {
            // rust-embed's own reading from disk finds nothing in a folder that was not there when
            // it was compiled.
            rust_embed::utils::read_file_from_fs(&Path::new(FOLDER).join(name)).ok()?
        } else {
            Dist::get(name)?
        };
        let mime = file.metadata.mimetype().to_owned();
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Some(PageFile { bytes, hash: file.metadata.sha256_hash(), mime })
    }
}
