//! What is around every page.

use maud::{DOCTYPE, Markup, html};

use crate::web::auth::Person;
use crate::web::graph::sign;
use crate::web::state::App;

/// A page for somebody who is let in.
pub(in crate::web) fn whole(app: &App, person: &Person, title: &str, body: &Markup) -> Markup {
    let bar = html! {
        header {
            nav aria-label="Main" {
                a.brand href="/" { "flowctl" }
                a href="/runs" { "Runs" }
                a href="/start" { "Start" }
            }
            form.who method="post" action="/logout" {
                input type="hidden" name="token" value=(person.form_token(app));
                span { (person.user) }
                button.plain type="submit" { "Log out" }
            }
        }
    };
    document(title, &bar, body)
}

/// A page for anybody.
pub(in crate::web) fn bare(title: &str, body: &Markup) -> Markup {
    let bar = html! { header { nav aria-label="Main" { a.brand href="/" { "flowctl" } } } };
    document(title, &bar, body)
}

/// Where a run or node is, by colour, sign and word.
pub(in crate::web) fn status(word: &str) -> Markup {
    html! { span.status.(word) { (sign(word)) " " (word) } }
}

fn document(title: &str, bar: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · flowctl" }
                link rel="stylesheet" href="/assets/style.css";
                script src="/assets/live.js" defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                (bar)
                main #main { (body) }
            }
        }
    }
}
