//! HTTP/1.1 on the wire (RFC 9112), read and written by hand: tests need to cut messages where no
//! library would, and to see how a message ended.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::http::{Fields, Received, Request, Response};

/// The start line and the fields of a message.
struct Head {
    start: String,
    fields: Fields,
}

/// How the end of a body is told.
enum Length {
    None,
    Known(u64),
    Chunked,
    UntilClose,
}

/// Wraps the reading half of a connection.
pub(crate) fn reader<R: tokio::io::AsyncRead>(inner: R) -> BufReader<R> {
    BufReader::with_capacity(64 * 1024, inner)
}

/// Reads a request; `None` when the peer closed the connection before one began.
pub(crate) async fn read_request<R>(from: &mut R) -> io::Result<Option<Received>>
where
    R: AsyncBufRead + Unpin,
{
    let Some(head) = read_head(from).await? else {
        return Ok(None);
    };
    let mut words = head.start.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let mut request = Received {
        method: word(),
        path: word(),
        authority: head.fields.get("host").unwrap_or_default(),
        headers: head.fields,
        ..Received::default()
    };
    request.headers.remove("host");
    let length = length(&request.headers, Length::None);
    request.complete = read_body(from, length, &mut request.body, &mut request.trailers).await;
    Ok(Some(request))
}

/// Reads the response to a request with `method`, without the informational ones before it.
pub(crate) async fn read_response<R>(from: &mut R, method: &str) -> io::Result<Response>
where
    R: AsyncBufRead + Unpin,
{
    loop {
        let Some(head) = read_head(from).await? else {
            return Ok(Response::default());
        };
        let status = head.start.split(' ').nth(1).unwrap_or_default();
        let mut response = Response {
            status: status.parse().unwrap_or_default(),
            headers: head.fields,
            ..Response::default()
        };
        if (102..200).contains(&response.status) || response.status == 100 {
            continue;
        }
        let length = match response.status {
            101 | 204 | 304 => Length::None,
            _ if method == "HEAD" => Length::None,
            _ => length(&response.headers, Length::UntilClose),
        };
        response.complete =
            read_body(from, length, &mut response.body, &mut response.trailers).await;
        return Ok(response);
    }
}

async fn read_line<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

async fn read_head<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Option<Head>> {
    let Some(start) = read_line(from).await? else {
        return Ok(None);
    };
    let fields = read_fields(from).await?;
    Ok(fields.map(|fields| Head {
        start: String::from_utf8_lossy(&start).into_owned(),
        fields,
    }))
}

async fn read_fields<R: AsyncBufRead + Unpin>(from: &mut R) -> io::Result<Option<Fields>> {
    let mut fields = Fields::default();
    while let Some(line) = read_line(from).await? {
        if line.is_empty() {
            return Ok(Some(fields));
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        fields.push(&String::from_utf8_lossy(name), value.trim_ascii());
    }
    Ok(None)
}

fn length(headers: &Fields, otherwise: Length) -> Length {
    let chunked = headers.get("transfer-encoding");
    if chunked.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Length::Chunked;
    }
    match headers.get("content-length") {
        Some(length) => length.parse().map_or(otherwise, Length::Known),
        None => otherwise,
    }
}

/// Reads a body and its trailers. Returns whether both came to their end.
async fn read_body<R>(
    from: &mut R,
    length: Length,
    body: &mut Vec<u8>,
    trailers: &mut Fields,
) -> bool
where
    R: AsyncBufRead + Unpin,
{
    match length {
        Length::None => true,
        Length::UntilClose => from.read_to_end(body).await.is_ok(),
        Length::Known(length) => read_exactly(from, length, body).await,
        Length::Chunked => read_chunks(from, body, trailers).await.unwrap_or(false),
    }
}

async fn read_exactly<R>(from: &mut R, length: u64, body: &mut Vec<u8>) -> bool
where
    R: AsyncBufRead + Unpin,
{
    let read = from.take(length).read_to_end(body).await;
    read.is_ok_and(|read| read as u64 == length)
}

async fn read_chunks<R>(from: &mut R, body: &mut Vec<u8>, trailers: &mut Fields) -> io::Result<bool>
where
    R: AsyncBufRead + Unpin,
{
    loop {
        let Some(line) = read_line(from).await? else {
            return Ok(false);
        };
        let size = String::from_utf8_lossy(&line);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = u64::from_str_radix(size, 16) else {
            return Ok(false);
        };
        if size == 0 {
            let fields = read_fields(from).await?;
            return Ok(fields.map(|fields| *trailers = fields).is_some());
        }
        if !read_exactly(from, size, body).await || read_line(from).await?.is_none() {
            return Ok(false);
        }
    }
}

fn put_fields(out: &mut Vec<u8>, fields: &Fields) {
    for (name, value) in fields.iter() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// A chunk of the chunked coding (RFC 9112 §7.1).
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", data.len()).into_bytes();
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
    out
}

/// The last chunk and the trailer section.
pub(crate) fn last_chunk(trailers: &Fields) -> Vec<u8> {
    let mut out = b"0\r\n".to_vec();
    put_fields(&mut out, trailers);
    out
}

/// The head of a response.
pub(crate) fn response_head(status: u16, headers: &Fields) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} Scripted\r\n").into_bytes();
    put_fields(&mut out, headers);
    out
}

/// A request in the pieces in which it is written: the head, then each piece of the body.
pub(crate) fn request_pieces(request: &Request) -> Vec<Vec<u8>> {
    let mut headers = Fields::default().with("host", request.authority.as_str());
    for (name, value) in request.headers.iter() {
        headers.push(name, value);
    }
    let framed = headers.contains("content-length") || headers.contains("transfer-encoding");
    let chunked = !framed && (request.body.len() > 1 || !request.trailers.is_empty());
    if chunked {
        headers.push("transfer-encoding", "chunked");
    } else if let (false, [body]) = (framed, request.body.as_slice()) {
        headers.push("content-length", body.len().to_string());
    }
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    put_fields(&mut head, &headers);

    let mut pieces = vec![head];
    // An empty chunk would be the last one.
    for piece in request.body.iter().filter(|piece| !piece.is_empty()) {
        pieces.push(if chunked { chunk(piece) } else { piece.clone() });
    }
    if chunked {
        pieces.push(last_chunk(&request.trailers));
    }
    pieces
}
