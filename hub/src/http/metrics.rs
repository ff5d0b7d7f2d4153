//! What Prometheus reads. For the inside: a proxy keeps it from everyone else.

use super::Api;
use crate::metrics::{MEDIA_TYPE, Now};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// What the node counts and measures, in the text format of OpenMetrics.
#[utoipa::path(
    get, path = "/metrics", tag = "node", security(()),
    responses((
        status = 200, description = "All of it", body = String,
        content_type = "application/openmetrics-text",
    )),
)]
async fn metrics(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let now = Now {
        is_draining: api.draining.is_cancelled(),
        writer_queue: api.writer.queued(),
        ..api.rooms.now()
    };
    let text = api.rooms.metrics().encode(&now, api.store.timings());
    ([(header::CONTENT_TYPE, MEDIA_TYPE), (header::CACHE_CONTROL, "no-store")], text)
}
