-- Times are unix milliseconds, ids stay below 2^53, client ids and login ids are the 16 bytes of
-- a UUID.

-- One row: the store's incarnation.
create table hub (
    id integer primary key check (id = 1),
    epoch integer not null
) strict;

create table users (
    id integer primary key autoincrement,
    username text not null unique,
    display_name text not null,
    -- PHC form; none for users of another issuer.
    password_hash text,
    external_sub text unique,
    -- Grows with whatever changes for this user: memberships, roles, read markers, logins.
    version integer not null default 1,
    created_at integer not null,
    disabled_at integer
) strict;

create table logins (
    id blob primary key,
    user_id integer not null references users (id),
    refresh_hash blob not null,
    -- The token before the current one, and when it was replaced.
    previous_hash blob,
    replaced_at integer,
    created_at integer not null,
    used_at integer not null,
    expires_at integer not null,
    revoked_at integer,
    user_agent text not null
) strict, without rowid;

create index logins_user on logins (user_id);

create table rooms (
    id integer primary key autoincrement,
    kind text not null check (kind in ('public', 'private')),
    name text not null,
    topic text not null,
    head_seq integer not null,
    last_message_no integer not null,
    member_count integer not null,
    created_by integer not null references users (id),
    client_id blob not null,
    created_at integer not null,
    unique (created_by, client_id)
) strict;

create unique index rooms_public_name on rooms (name) where kind = 'public';
create index rooms_name on rooms (name, id);

create table members (
    room_id integer not null references rooms (id),
    user_id integer not null references users (id),
    role text not null check (role in ('member', 'admin', 'owner')),
    joined_seq integer not null,
    last_read_no integer not null,
    primary key (room_id, user_id)
) strict, without rowid;

create index members_user on members (user_id, room_id);

create table bans (
    room_id integer not null references rooms (id),
    user_id integer not null references users (id),
    primary key (room_id, user_id)
) strict, without rowid;

-- The log. The payload is the event as it was sent, less the text of messages deleted since.
create table events (
    room_id integer not null references rooms (id),
    seq integer not null,
    kind text not null,
    actor_id integer not null references users (id),
    -- The asker's name for it; none where it stands with the message or the room.
    client_id blob,
    -- The message whose text it carries, if it is an edit.
    edits integer references messages (id),
    payload text not null,
    created_at integer not null,
    primary key (room_id, seq)
) strict, without rowid;

create unique index events_client_id on events (room_id, actor_id, client_id) where client_id is not null;
create index events_edits on events (edits) where edits is not null;

-- Messages in their latest state.
create table messages (
    id integer primary key autoincrement,
    room_id integer not null references rooms (id),
    message_no integer not null,
    -- The event that brought it, and the last one that changed it.
    seq integer not null,
    latest_seq integer not null,
    user_id integer not null references users (id),
    client_id blob not null,
    content text not null,
    reply_to integer references messages (id),
    created_at integer not null,
    edited_at integer,
    deleted_at integer,
    pinned_at integer,
    unique (room_id, message_no),
    unique (room_id, user_id, client_id)
) strict;

-- What is not unread: one's own and the deleted ones.
create index messages_own on messages (room_id, user_id, message_no);
create index messages_deleted on messages (room_id, message_no, user_id) where deleted_at is not null;
create index messages_pinned on messages (room_id, message_no) where pinned_at is not null;

create table reactions (
    message_id integer not null references messages (id),
    emoji text not null,
    user_id integer not null references users (id),
    -- The event that put it there, and the one that put this emoji there first.
    seq integer not null,
    emoji_seq integer not null,
    primary key (message_id, emoji, user_id)
) strict, without rowid;

-- Members whom a message mentions, its writer aside.
create table mentions (
    user_id integer not null references users (id),
    room_id integer not null references rooms (id),
    message_no integer not null,
    primary key (user_id, room_id, message_no)
) strict, without rowid;

create index mentions_message on mentions (room_id, message_no);
