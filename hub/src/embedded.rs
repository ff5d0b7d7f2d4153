//! The page inside the binary. Here and not in the library, so that a changed page links the
//! binary anew and compiles nothing else.

use bytes::Bytes;
use hub::http::{PageFile, Pages};
use rust_embed::RustEmbed;
use std::borrow::Cow;

/// Set by `cargo xtask run` and different for every page: cargo would not see that a folder has
/// new files.
const _: Option<&str> = option_env!("HUB_PAGE_PRINT");

/// The page as it was built, in the binary; a debug build reads it from disk each time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EmbeddedPages;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

impl Pages for EmbeddedPages {
    fn file(&self, name: &str) -> Option<PageFile> {
        let file = Dist::get(name)?;
        let mime = file.metadata.mimetype().to_owned();
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Some(PageFile { bytes, hash: file.metadata.sha256_hash(), mime })
    }
}
