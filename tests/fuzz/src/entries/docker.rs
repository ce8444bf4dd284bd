//! What dockerd may answer to each call.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::Duration;

use staticlet::docker::{Docker, ImportCall, LogsCall, PullCall, log_text, wire};
use staticlet::sys::Result;

use super::server::{Script, Server};
use super::{is_short, scratch};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::at(&scratch().join("docker.sock")));
static LOGS: LazyLock<Server> = LazyLock::new(|| Server::at(&scratch().join("logs.sock")));

/// An answer of HTTP: as it stands, with a length, or in chunks.
pub(super) fn http(form: u8, body: &[u8]) -> Vec<u8> {
    let status = match form >> 2 {
        0..=40 => "200 OK",
        41 => "204 No Content",
        42 => "304 Not Modified",
        43 => "400 Bad Request",
        44 => "401 Unauthorized",
        45 => "403 Forbidden",
        46 => "404 Not Found",
        47 => "409 Conflict",
        48 => "410 Gone",
        49 => "429 Too Many Requests",
        50 => "301 Moved Permanently",
        51 => "101 UPGRADED",
        52 => "503 Service Unavailable",
        _ => "500 Internal Server Error",
    };
    let length = body.len();
    match form & 3 {
        0 => body.to_vec(),
        1 => [format!("HTTP/1.1 {status}\r\n\r\n").as_bytes(), body].concat(),
        2 => {
            let head =
                format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n");
            [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
        }
        _ => [
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
            body,
        ]
        .concat(),
    }
}

/// One call: which, the form of the answer, the pieces that it comes in, and the answer.
pub(super) fn calls(data: &[u8]) {
    let [call, form, piece, body @ ..] = data else {
        return;
    };
    SERVER.play(Script {
        answers: vec![("", http(*form, body))],
        piece: usize::from(*piece),
        listens: false,
    });
    let socket = scratch().join("docker.sock");
    let docker = Docker::new(&socket.to_string_lossy(), Some((1, 41)));
    if let Err(error) = made(&docker, *call) {
        is_short(&error);
    }
}

fn made(docker: &Docker, call: u8) -> Result<()> {
    let on = ControlFlow::<()>::Continue(());
    match call % 18 {
        0 => drop(docker.facts()?),
        1 => drop(docker.list()?),
        2 => {
            let inspect: wire::Inspect = docker.inspect("abc")?;
            assert!(inspect.log_path.len() <= 32 << 20);
        }
        3 => drop(docker.inspect_image("i:1")?),
        4 => drop(docker.all_images()?),
        5 => docker.events(&mut |_| on)?,
        6 => drop(docker.logs_tail("abc", 10)?),
        7 => drop(docker.exec_create("abc", &["true".to_owned()])?),
        8 => {
            let mut said = 0;
            docker.exec_start("abc", Duration::from_secs(2), &mut |piece| {
                said += piece.len()
            })?;
        }
        9 => {
            let _ = docker.exec_inspect("abc")?;
        }
        10 => {
            let pull = PullCall {
                image: "i".into(),
                tag: "1".into(),
                auth: None,
            };
            docker.pull(&pull, &mut |_| on)?;
        }
        11 => drop(docker.load("f", Cursor::new(b"tar"))?),
        12 => drop(docker.create("n", &wire::CreateBody::default())?),
        13 => docker.start("abc")?,
        14 => drop(docker.images_in_use()?),
        15 => docker.remove("abc")?,
        16 => {
            let import = ImportCall {
                repo: "r".into(),
                tag: "t".into(),
                changes: Vec::new(),
            };
            docker.import_image(&import, Cursor::new(b"tar"))?;
        }
        _ => {
            let socket = scratch().join("docker.sock");
            let _ = Docker::new(&socket.to_string_lossy(), None).api()?;
        }
    }
    Ok(())
}

/// The stream of a log: the pieces that it comes in say nothing of what is in it.
pub(super) fn logs(data: &[u8]) {
    let [tty, piece, stream @ ..] = data else {
        return;
    };
    let text = log_text(stream);
    // What is no UTF-8 takes three bytes for one.
    assert!(text.len() <= stream.len() * 3);
    let told = |piece: u8| {
        LOGS.play(Script {
            answers: vec![("", http(1, stream))],
            piece: usize::from(piece),
            listens: false,
        });
        let socket = scratch().join("logs.sock");
        let docker = Docker::new(&socket.to_string_lossy(), Some((1, 41)));
        let wanted = LogsCall {
            tty: tty % 2 == 1,
            ..LogsCall::default()
        };
        let mut said = Vec::new();
        let ended = docker.logs("abc", &wanted, &mut |bytes| {
            said.extend_from_slice(bytes);
            ControlFlow::Continue(())
        });
        if let Err(error) = &ended {
            is_short(error);
        }
        (said, ended.map_err(|error| error.to_string()))
    };
    let whole = told(0);
    assert!(whole.0.len() <= stream.len());
    if tty % 2 == 1 {
        assert_eq!(whole, (stream.to_vec(), Ok(())));
    }
    assert_eq!(
        whole,
        told(piece.max(&1).to_owned()),
        "in pieces of {piece}"
    );
}
