//! Redis over TLS, with certificates that the test makes.

use super::contract;
use super::inbox::{Node, room};
use crate::support::eventually;
use crate::support::redis::{RedisServer, redis_broker};
use cluster::free_port;
use std::path::Path;
use std::process::Command;

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("openssl cannot be run ({error}): apt-get install openssl"));
    assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a server's key and certificate for `localhost` that it signed.
fn certificates(dir: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout";
    openssl(dir, &format!("req -x509 {key} ca.key -out ca.pem -subj /CN=ca -days 2"));
    openssl(dir, &format!("req -new {key} server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(dir.join("san"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem",
    );
}

#[tokio::test]
async fn the_contract_holds_over_tls_and_only_with_a_certificate_to_trust() {
    let keys = tempfile::tempdir().unwrap();
    certificates(keys.path());
    let (port, dir) = (free_port(), keys.path().display());
    let settings = [
        format!("tls-port {port}"),
        format!("tls-cert-file {dir}/server.pem"),
        format!("tls-key-file {dir}/server.key"),
        format!("tls-ca-cert-file {dir}/ca.pem"),
        "tls-auth-clients no".to_owned(),
        "requirepass secret".to_owned(),
    ];
    let _redis = RedisServer::start(&settings.each_ref().map(String::as_str)).await;
    let url = |host: &str, ca: &str| format!("rediss://:secret@{host}:{port}/0{ca}");
    let ca = format!("?ca={dir}/ca.pem");
    contract::holds(&Node::on(&url("localhost", &ca), 3).await).await;

    let refused = async |url: &str, why: &str| {
        let node = Node::start(redis_broker(url, "stranger"));
        node.subscribe(room(1)).await;
        let told = async || node.broker.check().await.is_err_and(|error| error.to_string().contains(why));
        eventually(why, told).await;
    };
    refused(&url("127.0.0.1", &ca), "not valid for name").await;
    certificates(keys.path());
    refused(&url("localhost", &ca), "certificate").await;
}
