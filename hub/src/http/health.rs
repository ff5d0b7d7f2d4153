//! Whether the node lives, and whether it can serve.

use super::Api;
use crate::limits::READY_TIMEOUT;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{NodeId, Timestamp};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
}

/// The node lives.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`: a node that is not does not answer.
    status: &'static str,
    #[schema(value_type = String)]
    server_id: NodeId,
    /// The node's clock.
    timestamp: Timestamp,
}

/// Whether a node can serve.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// Whether the node can serve: it can while its broker is degraded.
    ready: bool,
    #[schema(value_type = String)]
    server_id: NodeId,
    store: Part,
    broker: Part,
    /// Whether the node is leaving.
    draining: bool,
}

/// How a part answers.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    Ok,
    /// The broker does not answer: messages between nodes go through the store, slower.
    Degraded,
    Unavailable,
}

/// Whether the node lives.
#[utoipa::path(
    get, path = "/health", tag = "node", security(()),
    responses((status = 200, description = "It does", body = Health)),
)]
async fn health(State(api): State<Arc<Api>>) -> Json<Health> {
    Json(Health { status: "ok", server_id: api.node.clone(), timestamp: api.clock.now() })
}

/// Whether the node can serve: its store answers, and it is not leaving. A broker that does not
/// answer is told and costs no readiness, for all nodes share it: together they would leave no one
/// to serve.
#[utoipa::path(
    get, path = "/ready", tag = "node", security(()),
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "It cannot", body = Readiness),
    ),
)]
async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Readiness>) {
    let (store, broker) = tokio::join!(
        part("store", Part::Unavailable, api.store.check()),
        part("broker", Part::Degraded, api.broker.check()),
    );
    let draining = api.draining.is_cancelled();
    let ready = store == Part::Ok && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, server_id: api.node.clone(), store, broker, draining }))
}

async fn part<E: std::fmt::Display>(
    name: &str,
    failed: Part,
    check: impl Future<Output = Result<(), E>>,
) -> Part {
    match tokio::time::timeout(READY_TIMEOUT, check).await {
        Ok(Ok(())) => Part::Ok,
        Ok(Err(error)) => {
            tracing::warn!(%error, part = name, "a part is not well");
            failed
        }
        Err(_elapsed) => {
            tracing::warn!(part = name, "a part is not well: no answer in time");
            failed
        }
    }
}
