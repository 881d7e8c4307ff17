//! `/pair`: where the code on a screen leads a person. One form, no scripts, nothing from
//! elsewhere.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::extract::Query;
use super::pairing::yes;
use crate::auth::operator;
use crate::cloud::App;
use crate::error::Error;
use crate::secret;

const STYLE: &str = "body{font:1.1em/1.5 system-ui,sans-serif;max-width:28em;margin:3em auto;\
    padding:0 1em}label{display:block;margin:1em 0}input,button{font:inherit;width:100%;\
    box-sizing:border-box;padding:.5em}code{font-size:1.2em}.no{color:#a00}";
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";

/// The query of the page.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    code: String,
}

/// What a person filled in.
#[derive(Deserialize)]
pub struct Filled {
    code: String,
    name: String,
    token: String,
}

/// `GET /pair?code=…`
pub async fn show(Query(Asked { code }): Query<Asked>) -> Response {
    page(StatusCode::OK, &form(&shown(&code), "", ""))
}

/// `POST /pair`
pub async fn approve(
    State(app): State<App>,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    let Ok(Form(Filled { code, name, token })) = filled else {
        return page(StatusCode::BAD_REQUEST, &form("", "", "Fill in all three fields."));
    };
    let hash = secret::hash(token.trim());
    let approved = async {
        let tenant = operator(&app, hash).await?;
        yes(&app, tenant, secret::typed_code(&code), name.trim().into()).await
    };
    match approved.await {
        Ok(device) => {
            let (name, print) = (escaped(&device.name), escaped(&device.fingerprint));
            let text = format!(
                "<h1>Approved</h1><p>{name} is yours now and starts within seconds.</p>\
                 <p>Its screen shows this fingerprint: <code>{print}</code></p>"
            );
            page(StatusCode::OK, &text)
        }
        Err(error) => {
            let (status, text) = Error::told(error);
            page(status, &form(&shown(&code), &name, &text))
        }
    }
}

/// A code as screens show it; anything else as it was typed.
fn shown(code: &str) -> String {
    match secret::typed_code(code) {
        Some(code) => format!("{}-{}", &code[..4], &code[4..]),
        None => code.into(),
    }
}

fn form(code: &str, name: &str, trouble: &str) -> String {
    let (code, name, trouble) = (escaped(code), escaped(name), escaped(trouble));
    let trouble = match trouble.as_str() {
        "" => String::new(),
        _ => format!("<p class=no>{trouble}</p>"),
    };
    format!(
        "<h1>Approve a screen</h1>{trouble}<form method=post action=/pair>\
         <label>Code on the screen <input name=code required autocomplete=off \
         value=\"{code}\"></label>\
         <label>Name for the screen <input name=name required maxlength=200 \
         value=\"{name}\"></label>\
         <label>Operator token <input name=token type=password required autocomplete=off></label>\
         <button>Approve</button></form>\
         <p>Or in a shell: <code>vitrine-cloud pairing approve {code} --name NAME</code></p>"
    )
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width\"><title>Vitrine</title>\
         <style>{STYLE}</style>{body}"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, Html(html)).into_response()
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_becomes_markup() {
        let evil = "\"><script>alert('x')</script>&";
        let html = form(evil, evil, evil);
        assert!(!html.contains("<script>") && !html.contains("\"><s"), "{html}");
        assert!(html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"));
    }

    #[test]
    fn a_code_is_shown_as_on_the_screen() {
        assert_eq!(shown("bcdfghjk"), "BCDF-GHJK");
        assert_eq!(shown("what"), "what");
    }
}
