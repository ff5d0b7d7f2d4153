//! The page: encodings, caching, security headers, its own paths.

use super::support::{Hub, HubBuilder, Reply, TestPages};
use reqwest::Method;

const ENTRY: &str = "<!doctype html><title>Hubbub</title>";

async fn hub() -> Hub {
    let pages = TestPages(
        [
            ("index.html", ENTRY),
            ("index.html.br", "entry, brotli"),
            ("index.html.gz", "entry, gzip"),
            ("assets/app-1a2b.js", "plain script"),
            ("assets/app-1a2b.js.br", "script, brotli"),
            ("assets/app-1a2b.js.gz", "script, gzip"),
            ("assets/client-3c4d.wasm", "plain wasm"),
            ("assets/client-3c4d.wasm.gz", "wasm, gzip"),
        ]
        .into(),
    );
    HubBuilder { pages, ..HubBuilder::default() }.start().await
}

async fn get(hub: &Hub, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(hub.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
    hub.send(request).await
}

#[tokio::test]
async fn the_client_gets_the_encoding_that_it_likes_best() {
    let hub = hub().await;
    for (accepts, encoding, text) in [
        ("gzip, deflate, br", "br", "script, brotli"),
        ("br;q=0.5, gzip", "gzip", "script, gzip"),
        ("gzip;q=0.8, br;q=0.9", "br", "script, brotli"),
        ("br;q=0, gzip", "gzip", "script, gzip"),
        ("GZIP", "gzip", "script, gzip"),
        ("*", "br", "script, brotli"),
        ("*;q=0.5, br;q=0", "gzip", "script, gzip"),
        ("identity, br;q=0.5", "", "plain script"),
        ("deflate", "", "plain script"),
        ("identity", "", "plain script"),
        ("", "", "plain script"),
        ("br;q=x", "", "plain script"),
    ] {
        let reply = get(&hub, "/assets/app-1a2b.js", &[("accept-encoding", accepts)]).await;
        assert_eq!(reply.status, 200);
        assert_eq!((reply.header("content-encoding"), reply.text.as_str()), (encoding, text), "{accepts}");
        assert_eq!(reply.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(reply.header("vary"), "accept-encoding");
        assert_eq!(reply.header("content-length"), text.len().to_string());
    }
    assert_eq!(get(&hub, "/assets/app-1a2b.js", &[]).await.text, "plain script");
}

#[tokio::test]
async fn wasm_has_its_media_type_in_any_encoding() {
    let hub = hub().await;
    for (accepts, text) in [("br, gzip", "wasm, gzip"), ("br", "plain wasm")] {
        let reply = get(&hub, "/assets/client-3c4d.wasm", &[("accept-encoding", accepts)]).await;
        assert_eq!((reply.header("content-type"), reply.text.as_str()), ("application/wasm", text));
    }
}

#[tokio::test]
async fn named_by_hash_is_kept_for_ever_and_the_rest_is_revalidated() {
    let hub = hub().await;
    let asset = get(&hub, "/assets/app-1a2b.js", &[]).await;
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    let entry = get(&hub, "/", &[]).await;
    assert_eq!(entry.header("cache-control"), "no-cache");
    let etag = entry.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let several = format!("\"other\", W/{etag}");
    for known in [etag, several.as_str(), "*"] {
        let again = get(&hub, "/", &[("if-none-match", known)]).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), etag);
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    let other = get(&hub, "/", &[("if-none-match", "\"other\"")]).await;
    assert_eq!(other.status, 200);
    let encoded = get(&hub, "/", &[("accept-encoding", "br"), ("if-none-match", etag)]).await;
    assert_eq!(encoded.status, 200, "another encoding is another file");
}

#[tokio::test]
async fn paths_without_a_dot_are_the_pages_own() {
    let hub = hub().await;
    for path in ["/", "/login", "/rooms/7", "/rooms/v1.2/x", "/index.html", "/rooms/"] {
        let reply = get(&hub, path, &[]).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, ENTRY), "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    }
    for path in
        ["/favicon.ico", "/assets/gone.js", "/assets/app-1a2b.js.br", "/..%2fCargo.toml", "/a/..%2F..%2fb.rs"]
    {
        assert_eq!(get(&hub, path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body_and_nothing_is_posted() {
    let hub = hub().await;
    let head = hub.send(hub.request(Method::HEAD, "/")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), ENTRY.len().to_string());
    let post = hub.send(hub.request(Method::POST, "/rooms/7")).await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let hub = hub().await;
    for path in [
        "/",
        "/assets/app-1a2b.js",
        "/gone.js",
        "/api/me",
        "/api/nothing",
        "/health",
        "/api/openapi.json",
        "/ws",
    ] {
        let reply = get(&hub, path, &[]).await;
        let policy = reply.header("content-security-policy");
        for part in [
            "default-src 'self'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin", "{path}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_built_says_what_builds_it() {
    let hub = Hub::start().await;
    let reply = get(&hub, "/", &[]).await;
    assert_eq!(reply.status, 503);
    assert!(reply.text.contains("cargo xtask web"), "{}", reply.text);
    hub.register("ada").await;
}
