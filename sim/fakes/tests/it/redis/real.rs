//! A real server and plain connections to it.

use super::frame::{self, Frame};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

pub struct RedisServer {
    port: u16,
    child: Child,
    _dir: tempfile::TempDir,
}

impl RedisServer {
    pub fn start(settings: &[&str]) -> Self {
        let port = cluster::free_port();
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(dir.path())
            .args(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server cannot be run ({error}): apt-get install redis-server")
            });
        let server = Self { port, child, _dir: dir };
        for _ in 0..400 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not listen");
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(stream)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub struct Connection(TcpStream);

impl Connection {
    fn read_until<T>(&mut self, mut done: impl FnMut(&[u8]) -> Option<T>) -> T {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let length = self.0.read(&mut buffer).expect("the server answers");
            assert!(length > 0, "the server ended the connection: {:?}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&buffer[..length]);
            if let Some(value) = done(&bytes) {
                return value;
            }
        }
    }

    /// Sends a request and a `PING`; what was said before that is answered.
    pub fn step(&mut self, request: &[u8], marker: &str) -> Vec<Frame> {
        let mut bytes = request.to_vec();
        bytes.extend(super::script::encode(&["PING", marker]));
        self.0.write_all(&bytes).unwrap();
        self.read_until(|bytes| frame::until(bytes, marker))
    }

    /// Sends a request that has one reply.
    pub fn one(&mut self, request: &[u8]) -> Frame {
        self.0.write_all(request).unwrap();
        self.read_until(|bytes| Some(Frame::read(bytes)?.0))
    }

    /// Sends something, and reads until the server ends the connection.
    pub fn until_closed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.write_all(bytes).unwrap();
        let mut said = Vec::new();
        match self.0.read_to_end(&mut said) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        said
    }
}
