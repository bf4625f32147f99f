//! [`Proxy`]: the proxies in front, and what is believed of them.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Where proxies say from whom they pass a request on, the nearest last.
const FORWARDED: &str = "x-forwarded-for";

/// The proxies in front. From others than these nothing is believed.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// The header in which they name who somebody is; none when they do not.
    pub header: Option<String>,
    /// Where they are.
    pub from: Vec<IpNet>,
}

impl Proxy {
    /// Reads an address, or a range of them as `10.1.0.0/16`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn network(text: &str) -> Result<IpNet, String> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text
                .parse::<IpNet>()
                .map_err(|_| "write an address, or a range like `10.1.0.0/16`"),
        }?;
        if network.prefix_len() == 0 {
            return Err("that is everybody; name where the proxy is".to_owned());
        }
        Ok(network.trunc())
    }

    /// Whether one of them is at this address.
    pub(super) fn is_at(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.from.iter().any(|network| network.contains(&peer))
    }

    /// The address that a request comes from: of what proxies of ours passed on, the one that the outermost
    /// of them saw.
    pub(super) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED).into_iter();
        let named: Vec<&str> = lines
            .flat_map(|line| line.to_str().unwrap_or("?").split(','))
            .map(str::trim)
            .collect();
        for name in named.into_iter().rev() {
            if !self.is_at(client) {
                break;
            }
            let Some(address) = address(name) else {
                break;
            };
            client = address;
        }
        client
    }
}

/// Some proxies write the port, too.
fn address(name: &str) -> Option<IpAddr> {
    let plain = name.trim_start_matches('[').trim_end_matches(']');
    let found = plain.parse().ok().or_else(|| {
        let address = name.parse::<std::net::SocketAddr>().ok()?;
        Some(address.ip())
    });
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_are_read_and_nobody_believes_everybody() {
        let shown = |text| Proxy::network(text).map(|network| network.to_string());
        assert_eq!(shown("10.1.2.3/16"), Ok("10.1.0.0/16".to_owned()));
        assert_eq!(shown("127.0.0.1"), Ok("127.0.0.1/32".to_owned()));
        assert_eq!(shown("fd00::/8"), Ok("fd00::/8".to_owned()));
        for wrong in [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/33",
            "proxy",
            "",
            "10.0.0.1:80",
        ] {
            shown(wrong).unwrap_err();
        }
        let proxy = Proxy {
            header: None,
            from: vec![Proxy::network("10.1.0.0/16").unwrap()],
        };
        assert!(proxy.is_at(ip("10.1.255.7")) && proxy.is_at(ip("::ffff:10.1.0.1")));
        assert!(!proxy.is_at(ip("10.2.0.1")) && !proxy.is_at(ip("::1")));
    }

    #[test]
    fn who_is_behind_is_what_the_outermost_proxy_of_ours_saw() {
        let proxy = Proxy {
            header: None,
            from: vec![Proxy::network("10.1.0.0/16").unwrap()],
        };
        let client = |peer: &str, lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED, HeaderValue::from_static(line));
            }
            proxy.client(&headers, ip(peer)).to_string()
        };
        assert_eq!(client("10.1.0.1", &["8.8.8.8"]), "8.8.8.8");
        // What somebody wrote into the header themselves stands further left.
        assert_eq!(client("10.1.0.1", &["1.1.1.1, 8.8.8.8"]), "8.8.8.8");
        assert_eq!(
            client("10.1.0.1", &["1.1.1.1", "8.8.8.8,10.1.0.2"]),
            "8.8.8.8"
        );
        assert_eq!(client("10.1.0.1", &["8.8.8.8:4711"]), "8.8.8.8");
        assert_eq!(client("10.1.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        // Who is no proxy of ours says nothing of others; nor does nonsense.
        assert_eq!(client("9.9.9.9", &["8.8.8.8"]), "9.9.9.9");
        assert_eq!(client("10.1.0.1", &[]), "10.1.0.1");
        assert_eq!(client("10.1.0.1", &["unknown"]), "10.1.0.1");
    }
}
