//! What the kernel says of one TCP connection of this process: the view of `netstat`, without
//! `netstat`.

use std::net::{IpAddr, SocketAddr};

/// States by their number in `/proc/self/net/tcp`, from 1.
const STATES: [&str; 11] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

/// The state of the connection between these ends; `None` when the kernel knows none, or does
/// not say.
pub fn state(local: SocketAddr, peer: SocketAddr) -> Option<&'static str> {
    let table = if local.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
    find(&std::fs::read_to_string(table).ok()?, local, peer)
}

fn find(table: &str, local: SocketAddr, peer: SocketAddr) -> Option<&'static str> {
    let (local, peer) = (kernel_form(local), kernel_form(peer));
    table.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let same = fields.next()? == local && fields.next()? == peer;
        let number = usize::from_str_radix(fields.next()?, 16).ok()?;
        same.then(|| STATES.get(number.checked_sub(1)?).copied())?
    })
}

/// `0100007F:1F90`: each 32-bit group of the address in the machine's byte order.
fn kernel_form(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let groups: String = octets
        .chunks_exact(4)
        .filter_map(|group| group.try_into().ok())
        .map(|group: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(group)))
        .collect();
    format!("{groups}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_open_connection_is_established_and_a_closed_one_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            let (other, _) = listener.accept().unwrap();
            assert_eq!(state(local, peer), Some("ESTABLISHED"));
            drop(other);
            drop(stream);
            assert_ne!(state(local, peer), Some("ESTABLISHED"));
        }
    }
}
