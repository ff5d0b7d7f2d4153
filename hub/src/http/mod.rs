//! The REST API, health and the page. Handlers parse, call and map; what is allowed is decided by
//! `auth` and, in the store, by `rules`.

mod accounts;
mod body;
mod caller;
mod client_address;
mod error;
mod health;
mod layers;
mod members;
mod messages;
mod metrics;
mod openapi;
mod pages;
mod rooms;

pub use client_address::{Peer, WithPeers};
pub use error::{ApiError, ErrorBody, ErrorDetail};
pub use openapi::document;
pub use pages::{NoPages, PageFile, Pages};

use crate::auth::Auth;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::limits::{BODY_BYTES_MAX, RateLimits};
use crate::random::Random;
use crate::room::{Rooms, Writer};
use crate::store::Store;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use ipnet::IpNet;
use protocol::NodeId;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// All that the REST API needs.
#[derive(Debug)]
pub struct Api {
    /// The node.
    pub node: NodeId,
    /// What is read.
    pub store: Arc<dyn Store>,
    /// What is asked for `/ready`.
    pub broker: Arc<dyn Broker>,
    /// What changes things.
    pub writer: Writer,
    /// What wakes connections.
    pub rooms: Arc<Rooms>,
    /// Who is there.
    pub auth: Arc<Auth>,
    /// How often they may.
    pub limits: Arc<RateLimits>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Names for operations that come without.
    pub random: Arc<dyn Random>,
    /// Cancelled when the node leaves: `/ready` fails from then on.
    pub draining: CancellationToken,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The page.
    pub pages: Arc<dyn Pages>,
}

/// Everything that the node serves over HTTP: the API, health, the page, and what else is handed in
/// (`/ws`), under the security headers.
///
/// Serve it on [`WithPeers`] with `into_make_service_with_connect_info::<Peer>()`, so that rate limits
/// know addresses.
pub fn router(api: Api, more: Router) -> Router {
    let api = Arc::new(api);
    let leaving = api.draining.clone();
    let (routes, document) = openapi::routes().split_for_parts();
    let described = openapi::serve(document);
    routes
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(layers::deadline))
        .merge(described)
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(pages::serve)
        .with_state(api)
        .merge(more)
        .layer(middleware::from_fn(layers::headers_and_log))
        .layer(middleware::from_fn_with_state(leaving, layers::last_when_leaving))
}
