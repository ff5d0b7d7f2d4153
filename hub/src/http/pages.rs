//! The page: compressed as it was built, cached for ever where names carry a hash, and revalidated
//! elsewhere. Paths without a dot are the page's own and get its entry.

use super::Api;
use super::error::ApiError;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use protocol::ErrorCode;
use std::fmt;
use std::sync::Arc;

/// The files of the page.
pub trait Pages: Send + Sync + fmt::Debug + 'static {
    /// The file of this name, relative and without a leading slash.
    fn file(&self, name: &str) -> Option<PageFile>;
}

/// A file of the page.
#[derive(Clone, Debug)]
pub struct PageFile {
    /// What is in it.
    pub bytes: Bytes,
    /// SHA-256 of that.
    pub hash: [u8; 32],
    /// Its media type.
    pub mime: String,
}

/// No page: the node serves its API alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPages;

impl Pages for NoPages {
    fn file(&self, _: &str) -> Option<PageFile> {
        None
    }
}

const ENTRY: &str = "index.html";
const NOT_BUILT: &str = "The page is not built.\n\n`cargo xtask run` builds it and starts a hub; \
                         `cargo xtask web` builds it alone.\nThe API works without it: see /api/openapi.json.\n";

/// Serves the page, and tells what is none.
pub(super) async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return ApiError::new(ErrorCode::NotFound, "no such endpoint").into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let name = path.trim_start_matches('/');
    let is_own = !name.rsplit('/').next().unwrap_or_default().contains('.');
    let name = if is_own { ENTRY } else { name };
    match find(api.pages.as_ref(), name, request.headers()) {
        Some(found) => answer(found, name, request.headers()),
        None if is_own => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

struct Found {
    file: PageFile,
    encoding: Option<&'static str>,
    /// The media type of what is encoded.
    mime: String,
}

/// The file in the encoding that the client likes best, the smaller one where it does not care.
fn find(pages: &dyn Pages, name: &str, headers: &HeaderMap) -> Option<Found> {
    // Names come from clients. Encoded files are found by their plain name only.
    if name.split('/').any(|part| part == "..") || name.ends_with(".br") || name.ends_with(".gz") {
        return None;
    }
    let plain = pages.file(name)?;
    let mime = plain.mime.clone();
    for encoding in preferred(headers) {
        let suffix = match encoding {
            "br" => ".br",
            "gzip" => ".gz",
            _ => break,
        };
        if let Some(file) = pages.file(&format!("{name}{suffix}")) {
            return Some(Found { file, encoding: Some(encoding), mime });
        }
    }
    Some(Found { file: plain, encoding: None, mime })
}

/// The encodings that the client takes, best first (RFC 9110, 12.5.3).
fn preferred(headers: &HeaderMap) -> Vec<&'static str> {
    let lines = headers.get_all(header::ACCEPT_ENCODING);
    let offers: Vec<(String, f32)> = lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(offer)
        .collect();
    let weight = |name: &str, otherwise: f32| {
        let named =
            |wanted: &str| offers.iter().find(|(offer, _)| offer == wanted).map(|(_, weight)| *weight);
        named(name).or_else(|| named("*")).unwrap_or(otherwise)
    };
    // Plain is always acceptable unless refused, and liked least unless named.
    let mut ranked =
        [("br", weight("br", 0.0)), ("gzip", weight("gzip", 0.0)), ("identity", weight("identity", 0.0001))];
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    ranked.into_iter().filter(|(_, weight)| *weight > 0.0).map(|(name, _)| name).collect()
}

fn offer(text: &str) -> (String, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
    (name, weight)
}

fn answer(found: Found, name: &str, headers: &HeaderMap) -> Response {
    let Found { file, encoding, mime } = found;
    let etag =
        format!("\"{}\"", file.hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>());
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if is_known(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(file.bytes.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, file.bytes.len().into());
        if let Ok(kind) = HeaderValue::try_from(with_charset(mime)) {
            headers.insert(header::CONTENT_TYPE, kind);
        }
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn with_charset(mime: String) -> String {
    let is_text = mime.starts_with("text/") || mime == "application/json" || mime == "image/svg+xml";
    if is_text && !mime.contains(';') { format!("{mime}; charset=utf-8") } else { mime }
}

/// Whether the client has this already (`If-None-Match`, weak comparison: RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH);
    lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}
