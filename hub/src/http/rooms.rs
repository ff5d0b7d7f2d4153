//! Rooms: finding, making, changing, joining and leaving them.

use super::Api;
use super::body::{Body, Params, RoomPath};
use super::caller::Caller;
use super::error::ApiError;
use super::openapi::Refusals;
use crate::store::{Committed, Op, RoomOp};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::frame::server::ReadMarker;
use protocol::model::{Room, RoomKind, RoomListing};
use protocol::{ClientId, MessageNo, RoomId, Seq, validate};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_rooms, create_room))
        .routes(routes!(my_rooms))
        .routes(routes!(room, update_room))
        .routes(routes!(join_room))
        .routes(routes!(leave_room))
        .routes(routes!(mark_read))
}

/// Where an operation took its place in the room's log.
#[derive(Serialize, ToSchema)]
pub(super) struct Receipt {
    room_id: RoomId,
    /// The event that the operation became; the room's head if it changed nothing.
    seq: Seq,
}

impl From<Committed> for Json<Receipt> {
    fn from(committed: Committed) -> Self {
        Self(Receipt { room_id: committed.room_id, seq: committed.seq })
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RoomQuery {
    /// Only names that contain this.
    query: Option<String>,
    /// Those after this name: the last one of the page before.
    after: Option<String>,
    /// Most rooms of the page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
}

/// A page of rooms to choose from.
#[derive(Serialize, ToSchema)]
struct RoomPage {
    /// In order of their name.
    rooms: Vec<RoomListing>,
    /// Whether there are more after the last of them.
    more: bool,
}

/// The rooms of a user.
#[derive(Serialize, ToSchema)]
struct MyRooms {
    rooms: Vec<Room>,
}

/// A new room.
#[derive(Deserialize, ToSchema)]
struct NewRoom {
    /// Letters of any script, digits, `-` and `_`, at most 64; stored in lower case. Unique among
    /// public rooms.
    name: String,
    kind: RoomKind,
    /// One line, at most 250 characters.
    #[serde(default)]
    topic: String,
    /// The client's name for this request: asking again under the same name returns the first
    /// result. The header `Idempotency-Key` does as well; without either, asking again makes another
    /// room.
    client_id: Option<ClientId>,
}

/// What changes about a room; what is absent stays.
#[derive(Deserialize, ToSchema)]
struct RoomChange {
    name: Option<String>,
    topic: Option<String>,
}

/// How far one has read.
#[derive(Deserialize, ToSchema)]
struct Read {
    /// The last message that was read.
    message_no: MessageNo,
}

/// Find rooms: public ones and one's own.
#[utoipa::path(
    get, path = "/api/rooms", tag = "rooms", params(RoomQuery),
    responses((status = 200, description = "A page of rooms", body = RoomPage), Refusals),
)]
async fn list_rooms(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Params(params): Params<RoomQuery>,
) -> Result<Json<RoomPage>, ApiError> {
    let limit = validate::page_limit(params.limit)?;
    let query = params.query.unwrap_or_default();
    let page = api.store.list_rooms(caller.id(), &query, params.after.as_deref(), limit).await?;
    Ok(Json(RoomPage { rooms: page.rooms, more: page.more }))
}

/// Make a room and own it.
#[utoipa::path(
    post, path = "/api/rooms", tag = "rooms", request_body = NewRoom,
    responses((status = 201, description = "The room", body = Room), Refusals),
)]
async fn create_room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Body(new): Body<NewRoom>,
) -> Result<(StatusCode, Json<Room>), ApiError> {
    let op = Op::create_room(&new.name, new.kind, &new.topic)?;
    let committed = api.commit(&caller, new.client_id, op).await?;
    Ok((StatusCode::CREATED, api.room_of(&caller, committed.room_id).await?))
}

/// One's own rooms, with unread counts.
#[utoipa::path(
    get, path = "/api/me/rooms", tag = "rooms",
    responses((status = 200, description = "The rooms, in order of their id", body = MyRooms), Refusals),
)]
async fn my_rooms(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<MyRooms>, ApiError> {
    Ok(Json(MyRooms { rooms: api.store.rooms_of(caller.id()).await? }))
}

/// A room, as its members see it.
#[utoipa::path(
    get, path = "/api/rooms/{room_id}", tag = "rooms", params(("room_id" = RoomId, Path, description = "The room")),
    responses((status = 200, description = "The room", body = Room), Refusals),
)]
async fn room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
) -> Result<Json<Room>, ApiError> {
    api.room_of(&caller, room_id).await
}

/// Change a room's name or topic, as an admin.
#[utoipa::path(
    patch, path = "/api/rooms/{room_id}", tag = "rooms", params(("room_id" = RoomId, Path, description = "The room")),
    request_body = RoomChange,
    responses((status = 200, description = "The room", body = Room), Refusals),
)]
async fn update_room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    Body(change): Body<RoomChange>,
) -> Result<Json<Room>, ApiError> {
    let op = RoomOp::update(change.name.as_deref(), change.topic.as_deref())?;
    api.commit(&caller, None, Op::in_room(room_id, op)).await?;
    api.room_of(&caller, room_id).await
}

/// Become a member of a public room.
#[utoipa::path(
    post, path = "/api/rooms/{room_id}/join", tag = "rooms",
    params(("room_id" = RoomId, Path, description = "The room")),
    responses((status = 200, description = "The room; also when one was a member already", body = Room), Refusals),
)]
async fn join_room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
) -> Result<Json<Room>, ApiError> {
    api.commit(&caller, None, Op::in_room(room_id, RoomOp::Join)).await?;
    api.room_of(&caller, room_id).await
}

/// Stop being a member.
#[utoipa::path(
    post, path = "/api/rooms/{room_id}/leave", tag = "rooms",
    params(("room_id" = RoomId, Path, description = "The room")),
    responses((status = 200, description = "Done", body = Receipt), Refusals),
)]
async fn leave_room(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.commit(&caller, None, Op::in_room(room_id, RoomOp::Leave)).await?.into())
}

/// Move one's read marker forward; it never goes back.
#[utoipa::path(
    post, path = "/api/rooms/{room_id}/read", tag = "rooms",
    params(("room_id" = RoomId, Path, description = "The room")), request_body = Read,
    responses((status = 200, description = "Where the marker is now", body = ReadMarker), Refusals),
)]
async fn mark_read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    Body(read): Body<Read>,
) -> Result<Json<ReadMarker>, ApiError> {
    let marker = api.rooms.mark_read(caller.id(), room_id, read.message_no).await?;
    marker.map(Json).ok_or_else(ApiError::not_member)
}

impl Api {
    async fn room_of(&self, caller: &Caller, room_id: RoomId) -> Result<Json<Room>, ApiError> {
        self.store.room(caller.id(), room_id).await?.map(Json).ok_or_else(ApiError::not_member)
    }
}
