//! Messages: reading a room's history, sending, editing, deleting, reacting, pinning.

use super::Api;
use super::body::{Body, EmojiPath, MessagePath, Params, RoomPath};
use super::caller::Caller;
use super::error::ApiError;
use super::openapi::Refusals;
use super::rooms::Receipt;
use crate::store::{Committed, Op, RoomOp};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::model::{Message, MessagePage};
use protocol::{ClientId, MessageId, MessageNo, RoomId, validate};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(history, send))
        .routes(routes!(message, edit, delete))
        .routes(routes!(add_reaction, remove_reaction))
        .routes(routes!(pin, unpin))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Messages just before this `message_no`. At most one of `before`, `after` and `around`; none
    /// means the newest.
    #[param(value_type = Option<u64>)]
    before: Option<MessageNo>,
    /// Messages just after this `message_no`.
    #[param(value_type = Option<u64>)]
    after: Option<MessageNo>,
    /// Messages around this `message_no`.
    #[param(value_type = Option<u64>)]
    around: Option<MessageNo>,
    /// Most messages of the page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// Only pinned messages.
    #[serde(default)]
    #[param(default = false)]
    pinned: bool,
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
struct NewMessage {
    /// Not blank, at most 16384 bytes.
    content: String,
    /// The message that it answers, in the same room.
    reply_to: Option<MessageId>,
    /// The client's name for this send: sending again under the same name, to any node, returns the
    /// first result. The header `Idempotency-Key` does as well; without either, sending again says it
    /// twice.
    client_id: Option<ClientId>,
}

/// A message's new text.
#[derive(Deserialize, ToSchema)]
struct NewContent {
    /// Not blank, at most 16384 bytes.
    content: String,
}

/// A page of a room's messages in their latest state.
#[utoipa::path(
    get, path = "/api/rooms/{room_id}/messages", tag = "messages",
    params(("room_id" = RoomId, Path, description = "The room"), HistoryQuery),
    responses((status = 200, description = "The messages, oldest first", body = MessagePage), Refusals),
)]
async fn history(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    Params(params): Params<HistoryQuery>,
) -> Result<Json<MessagePage>, ApiError> {
    let anchor = validate::anchor(params.before, params.after, params.around)?;
    let limit = validate::page_limit(params.limit)?;
    let page = api.store.history(caller.id(), room_id, anchor, params.pinned, limit).await?;
    page.map(Json).ok_or_else(ApiError::not_member)
}

/// Send a message.
#[utoipa::path(
    post, path = "/api/rooms/{room_id}/messages", tag = "messages",
    params(("room_id" = RoomId, Path, description = "The room")), request_body = NewMessage,
    responses(
        (status = 201, description = "The message, durable", body = Message),
        (status = 200, description = "The message, sent before under this client_id", body = Message),
        Refusals,
    ),
)]
async fn send(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), ApiError> {
    let op = RoomOp::send(new.content, new.reply_to)?;
    let committed = api.commit(&caller, new.client_id, Op::in_room(room_id, op)).await?;
    let status = if committed.events.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    let sent = committed.message.ok_or_else(ApiError::no_message)?;
    Ok((status, Json(api.message_of(&caller, sent.message_id).await?)))
}

/// A message in its latest state.
#[utoipa::path(
    get, path = "/api/messages/{message_id}", tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message")),
    responses((status = 200, description = "The message", body = Message), Refusals),
)]
async fn message(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
) -> Result<Json<Message>, ApiError> {
    api.message_of(&caller, message_id).await.map(Json)
}

/// Change the text of one's own message.
#[utoipa::path(
    patch, path = "/api/messages/{message_id}", tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message")), request_body = NewContent,
    responses((status = 200, description = "The message", body = Message), Refusals),
)]
async fn edit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
    Body(new): Body<NewContent>,
) -> Result<Json<Message>, ApiError> {
    let op = RoomOp::edit(message_id, new.content)?;
    api.change(&caller, message_id, op).await?;
    api.message_of(&caller, message_id).await.map(Json)
}

/// Delete one's own message, or as an admin anyone's. Its text is gone everywhere.
#[utoipa::path(
    delete, path = "/api/messages/{message_id}", tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message")),
    responses((status = 200, description = "Done; also when it was deleted already", body = Receipt), Refusals),
)]
async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.change(&caller, message_id, RoomOp::Delete { message_id }).await?.into())
}

/// Put an emoji on a message.
#[utoipa::path(
    put, path = "/api/messages/{message_id}/reactions/{emoji}", tag = "messages",
    params(
        ("message_id" = MessageId, Path, description = "The message"),
        ("emoji" = String, Path, description = "The emoji, percent-encoded"),
    ),
    responses((status = 200, description = "Done; also when it was there already", body = Receipt), Refusals),
)]
async fn add_reaction(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
    EmojiPath(emoji): EmojiPath,
) -> Result<Json<Receipt>, ApiError> {
    let op = RoomOp::add_reaction(message_id, emoji)?;
    Ok(api.change(&caller, message_id, op).await?.into())
}

/// Take one's emoji off a message.
#[utoipa::path(
    delete, path = "/api/messages/{message_id}/reactions/{emoji}", tag = "messages",
    params(
        ("message_id" = MessageId, Path, description = "The message"),
        ("emoji" = String, Path, description = "The emoji, percent-encoded"),
    ),
    responses((status = 200, description = "Done; also when it was not there", body = Receipt), Refusals),
)]
async fn remove_reaction(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
    EmojiPath(emoji): EmojiPath,
) -> Result<Json<Receipt>, ApiError> {
    let op = RoomOp::remove_reaction(message_id, emoji)?;
    Ok(api.change(&caller, message_id, op).await?.into())
}

/// Pin a message, as an admin.
#[utoipa::path(
    put, path = "/api/messages/{message_id}/pin", tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message")),
    responses((status = 200, description = "Done; also when it was pinned already", body = Receipt), Refusals),
)]
async fn pin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.change(&caller, message_id, RoomOp::Pin { message_id }).await?.into())
}

/// Unpin a message, as an admin.
#[utoipa::path(
    delete, path = "/api/messages/{message_id}/pin", tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message")),
    responses((status = 200, description = "Done; also when it was not pinned", body = Receipt), Refusals),
)]
async fn unpin(
    State(api): State<Arc<Api>>,
    caller: Caller,
    MessagePath(message_id): MessagePath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.change(&caller, message_id, RoomOp::Unpin { message_id }).await?.into())
}

impl Api {
    async fn message_of(&self, caller: &Caller, message_id: MessageId) -> Result<Message, ApiError> {
        self.store.message(caller.id(), message_id).await?.ok_or_else(ApiError::no_message)
    }

    /// Does something to a message, in the room where it is.
    async fn change(
        &self,
        caller: &Caller,
        message_id: MessageId,
        op: RoomOp,
    ) -> Result<Committed, ApiError> {
        let message = self.message_of(caller, message_id).await?;
        self.commit(caller, None, Op::in_room(message.room_id, op)).await
    }
}
