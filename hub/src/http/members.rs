//! A room's members: who they are, letting in, removing, keeping out, roles.

use super::Api;
use super::body::{Body, Params, RoomPath, UserPath};
use super::caller::Caller;
use super::error::ApiError;
use super::openapi::Refusals;
use super::rooms::Receipt;
use crate::store::{Op, RoomOp};
use axum::Json;
use axum::extract::State;
use protocol::model::{Member, Role};
use protocol::{RoomId, UserId, validate};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list_members, invite))
        .routes(routes!(kick))
        .routes(routes!(ban, unban))
        .routes(routes!(set_role))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MemberQuery {
    /// Those after this username: the last one of the page before.
    after: Option<String>,
    /// Most members of the page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
}

/// A page of a room's members.
#[derive(Serialize, ToSchema)]
struct MemberPage {
    /// In order of their username.
    members: Vec<Member>,
    /// Whether there are more after the last of them.
    more: bool,
}

/// Whom to make a member.
#[derive(Deserialize, ToSchema)]
struct Invitation {
    username: String,
}

/// What a member may do from now on.
#[derive(Deserialize, ToSchema)]
struct NewRole {
    role: Role,
}

/// The room's members.
#[utoipa::path(
    get, path = "/api/rooms/{room_id}/members", tag = "members",
    params(("room_id" = RoomId, Path, description = "The room"), MemberQuery),
    responses((status = 200, description = "A page of members", body = MemberPage), Refusals),
)]
async fn list_members(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    Params(params): Params<MemberQuery>,
) -> Result<Json<MemberPage>, ApiError> {
    let limit = validate::page_limit(params.limit)?;
    let page = api.store.members(caller.id(), room_id, params.after.as_deref(), limit).await?;
    let page = page.ok_or_else(ApiError::not_member)?;
    Ok(Json(MemberPage { members: page.members, more: page.more }))
}

/// Make someone a member: in a public room by any member, in a private one by an admin.
#[utoipa::path(
    post, path = "/api/rooms/{room_id}/members", tag = "members",
    params(("room_id" = RoomId, Path, description = "The room")), request_body = Invitation,
    responses((status = 200, description = "Done; also when they were a member already", body = Receipt), Refusals),
)]
async fn invite(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    Body(invitation): Body<Invitation>,
) -> Result<Json<Receipt>, ApiError> {
    let op = RoomOp::invite(&invitation.username)?;
    Ok(api.commit(&caller, None, Op::in_room(room_id, op)).await?.into())
}

/// Remove a member of lesser role, as an admin.
#[utoipa::path(
    delete, path = "/api/rooms/{room_id}/members/{user_id}", tag = "members",
    params(
        ("room_id" = RoomId, Path, description = "The room"),
        ("user_id" = UserId, Path, description = "Whom"),
    ),
    responses((status = 200, description = "Done", body = Receipt), Refusals),
)]
async fn kick(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    UserPath(user_id): UserPath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.commit(&caller, None, Op::in_room(room_id, RoomOp::Kick { user_id })).await?.into())
}

/// Remove someone of lesser role and keep them out, as an admin.
#[utoipa::path(
    put, path = "/api/rooms/{room_id}/bans/{user_id}", tag = "members",
    params(
        ("room_id" = RoomId, Path, description = "The room"),
        ("user_id" = UserId, Path, description = "Whom"),
    ),
    responses((status = 200, description = "Done; also when they were banned already", body = Receipt), Refusals),
)]
async fn ban(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    UserPath(user_id): UserPath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.commit(&caller, None, Op::in_room(room_id, RoomOp::Ban { user_id })).await?.into())
}

/// Lift a ban, as an admin.
#[utoipa::path(
    delete, path = "/api/rooms/{room_id}/bans/{user_id}", tag = "members",
    params(
        ("room_id" = RoomId, Path, description = "The room"),
        ("user_id" = UserId, Path, description = "Whom"),
    ),
    responses((status = 200, description = "Done; also when there was none", body = Receipt), Refusals),
)]
async fn unban(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    UserPath(user_id): UserPath,
) -> Result<Json<Receipt>, ApiError> {
    Ok(api.commit(&caller, None, Op::in_room(room_id, RoomOp::Unban { user_id })).await?.into())
}

/// Change a member's role, as the owner. Giving `owner` away makes the giver an admin.
#[utoipa::path(
    put, path = "/api/rooms/{room_id}/members/{user_id}/role", tag = "members",
    params(
        ("room_id" = RoomId, Path, description = "The room"),
        ("user_id" = UserId, Path, description = "Whose"),
    ),
    request_body = NewRole,
    responses((status = 200, description = "Done", body = Receipt), Refusals),
)]
async fn set_role(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RoomPath(room_id): RoomPath,
    UserPath(user_id): UserPath,
    Body(new): Body<NewRole>,
) -> Result<Json<Receipt>, ApiError> {
    let op = RoomOp::SetRole { user_id, role: new.role };
    Ok(api.commit(&caller, None, Op::in_room(room_id, op)).await?.into())
}
