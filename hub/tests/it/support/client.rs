//! A WebSocket client that writes JSON by hand, as anyone could from PROTOCOL.md.

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, client_async};
use uuid::Uuid;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a close frame.
    Closed(u16),
    /// Without one.
    Cut,
}

pub struct Client {
    socket: WebSocketStream<TcpStream>,
    pub welcome: Value,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "hubbub.v1".parse().unwrap());
        let (socket, _) = client_async(request, stream).await.unwrap();
        Self { socket, welcome: Value::Null }
    }

    /// Says hello with whatever else is in `more`, and takes the welcome.
    pub async fn hello(&mut self, token: &str, more: Value) {
        let mut hello = json!({
            "type": "hello", "version": 1, "token": token, "client": { "name": "test", "version": "1" },
        });
        hello.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.send(hello).await;
        self.welcome = self.expect("welcome").await;
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.try_send(Message::text(text)).await.unwrap();
    }

    pub async fn try_send(&mut self, message: Message) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        tokio::time::timeout(PATIENCE, self.socket.send(message)).await.expect("the node reads")
    }

    /// The next frame, or how the connection ended.
    pub async fn next(&mut self) -> Result<Value, Ended> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => {
                    return Err(Ended::Closed(code.into()));
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(Ended::Cut),
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame of a type; others are passed over.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let mut passed = Vec::new();
        loop {
            match self.next().await {
                Ok(frame) if frame["type"] == kind => return frame,
                Ok(frame) => passed.push(frame),
                Err(ended) => panic!("{ended:?} while waiting for {kind} after {passed:?}"),
            }
        }
    }

    /// Waits for the end; what comes before it is passed over.
    pub async fn ended(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.next().await {
                return ended;
            }
        }
    }

    /// What has arrived when a ping comes back.
    pub async fn drain(&mut self) -> Vec<Value> {
        self.send(json!({ "type": "ping" })).await;
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await.unwrap();
            if frame["type"] == "pong" {
                return frames;
            }
            frames.push(frame);
        }
    }

    /// Does something durable and returns its ack or error.
    pub async fn request(&mut self, mut frame: Value) -> Value {
        let client_id = frame["client_id"].as_str().map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
        frame["client_id"] = json!(client_id);
        self.send(frame).await;
        loop {
            let answer = self.next().await.unwrap();
            if answer["client_id"] == json!(client_id)
                && (answer["type"] == "ack" || answer["type"] == "error")
            {
                return answer;
            }
        }
    }

    /// Makes a room and returns its id once the connection is in it.
    pub async fn create_room(&mut self, name: &str) -> u64 {
        self.send(json!({
            "type": "create_room", "client_id": Uuid::new_v4().to_string(), "name": name, "kind": "public",
        }))
        .await;
        self.expect("room_added").await["room"]["id"].as_u64().unwrap()
    }

    /// Joins a room and returns once the connection is in it.
    pub async fn join_room(&mut self, room_id: u64) {
        self.send(
            json!({ "type": "join_room", "client_id": Uuid::new_v4().to_string(), "room_id": room_id }),
        )
        .await;
        assert_eq!(self.expect("room_added").await["room"]["id"], room_id);
    }

    pub async fn say(&mut self, room_id: u64, content: &str) -> Value {
        self.request(json!({ "type": "send_message", "room_id": room_id, "content": content })).await
    }
}

impl Client {
    /// A frame, if one is there by now.
    pub async fn try_next(&mut self) -> Option<Result<Value, Ended>> {
        tokio::task::yield_now().await;
        self.next().now_or_never()
    }
}
