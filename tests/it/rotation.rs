//! What is replaced while an agent runs holds for its next request, and for its watch when that is opened again.

use serde_json::{Value, json};

use crate::support::apiserver::{ApiServer, Caller, Fault};
use crate::support::bare::Bare;
use crate::support::tls::{Wants, certificate, fixture};

const WATCH: &str = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1&watch";
const LEASE: &str = "PATCH /apis/coordination.k8s.io/";

/// Waits for a request of this kind; gives all that came, it being the last one.
fn wait(
    agent: &Bare,
    server: &ApiServer,
    what: &str,
    is_it: impl Fn(&Caller) -> bool,
) -> Vec<Caller> {
    let mut callers = Vec::new();
    agent.eventually(what, || {
        callers.extend(server.callers());
        callers.iter().any(&is_it)
    });
    callers
}

/// Both kinds come as `is_old`, then something is replaced; both come as `is_new`, and none as before from then on.
fn expect_turn(
    agent: &Bare,
    server: &ApiServer,
    is_old: impl Fn(&Caller) -> bool,
    replace: impl Fn(),
    is_new: impl Fn(&Caller) -> bool,
) {
    let mut before = Vec::new();
    agent.eventually("both as before", || {
        before.extend(server.callers());
        ["POST /api/v1/nodes", WATCH].iter().all(|begin| {
            before
                .iter()
                .any(|one: &Caller| one.asked.starts_with(begin))
        })
    });
    assert!(before.iter().all(is_old), "{before:#?}");
    replace();
    wait(agent, server, "the next request", |one| is_new(one));
    // The watch that is open stays; cut off, it is opened as the new one.
    server.fault(WATCH, Fault::Cut);
    let since = wait(agent, server, "the watch again", |one| {
        one.asked.starts_with(WATCH) && is_new(one)
    });
    server.heal();
    let since = since
        .iter()
        .chain(&wait(agent, server, "renewed", |one| {
            one.asked.starts_with(LEASE)
        }))
        .cloned()
        .collect::<Vec<_>>();
    assert!(since.iter().all(&is_new), "{since:#?}");
}

fn combined(client: &str) -> Vec<u8> {
    [
        fixture(&format!("{client}.pem")),
        fixture(&format!("{client}.key")),
    ]
    .concat()
}

fn shows(client: &str) -> impl Fn(&Caller) -> bool + use<> {
    let wanted = certificate(&format!("{client}.pem"));
    move |caller| caller.certificate == wanted
}

/// As the kubelet does it: both in one file, which is replaced.
#[test]
fn a_client_certificate_is_replaced() {
    let mut agent = Bare::new("rotate-certificate");
    let server = ApiServer::start_tls(Wants::Client);
    let user = json!({"client-certificate": "current.pem", "client-key": "current.pem"});
    agent.put("kubeconfig", server.kubeconfig_of(&user));
    agent.put("current.pem", combined("client-ec-sec1"));
    agent.start(&[]);
    let replace = || drop(agent.put("current.pem", combined("client-ed25519")));
    let (old, new) = (shows("client-ec-sec1"), shows("client-ed25519"));
    expect_turn(&agent, &server, old, replace, new);
}

/// Two files cannot be replaced at once: between the one and the other nothing is broken for long.
#[test]
fn a_certificate_without_its_key_is_told_and_waited_for() {
    let mut agent = Bare::new("rotate-halves");
    let server = ApiServer::start_tls(Wants::Client);
    let user = json!({"client-certificate": "tls.crt", "client-key": "tls.key"});
    agent.put("kubeconfig", server.kubeconfig_of(&user));
    let put = |agent: &Bare, name, from| drop(agent.put(name, fixture(from)));
    put(&agent, "tls.crt", "client-ec-sec1.pem");
    put(&agent, "tls.key", "client-ec-sec1.key");
    agent.start(&[]);
    wait(&agent, &server, "a Lease", |one| {
        one.asked.starts_with(LEASE)
    });
    put(&agent, "tls.crt", "client-ed25519.pem");
    agent.eventually("it is told", || {
        agent.log().contains("use the client certificate: ")
    });
    put(&agent, "tls.key", "client-ed25519.key");
    wait(&agent, &server, "a Lease again", |one| {
        one.asked.starts_with(LEASE) && shows("client-ed25519")(one)
    });
    agent.eventually("it is over", || agent.log().contains("API server answers"));
}

#[test]
fn a_token_file_is_replaced() {
    let mut agent = Bare::new("rotate-token");
    let server = ApiServer::start_tls(Wants::Nothing);
    agent.put(
        "kubeconfig",
        server.kubeconfig_of(&json!({"tokenFile": "token"})),
    );
    agent.put("token", "one");
    agent.start(&[]);
    let replace = || drop(agent.put("token", "two\n"));
    let shows = |token: &'static str| {
        move |caller: &Caller| caller.authorization == format!("Bearer {token}")
    };
    expect_turn(&agent, &server, shows("one"), replace, shows("two"));
}

#[test]
fn a_kubeconfig_is_replaced() {
    let mut agent = Bare::new("rotate-kubeconfig");
    let server = ApiServer::start_tls(Wants::Nothing);
    agent.put(
        "kubeconfig",
        server.kubeconfig_of(&json!({"username": "me", "password": "a"})),
    );
    agent.start(&[]);
    let replace = || {
        let text: Value =
            serde_json::from_str(&server.kubeconfig_of(&json!({"token": "t"}))).unwrap();
        agent.put("kubeconfig", text.to_string());
    };
    let shows =
        |begin: &'static str| move |caller: &Caller| caller.authorization.starts_with(begin);
    expect_turn(&agent, &server, shows("Basic "), replace, shows("Bearer t"));
}
