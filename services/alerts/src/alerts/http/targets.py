"""Whether an address may be a receiver's. Names are checked again, by what they resolve to, at every delivery."""

from email.headerregistry import Address

import httpx

from alerts.domain.addresses import is_public, looks_like_disguised_address, parse_literal
from common.errors import Rejected


def check_web_address(url: str, *, allow_private: bool, name: str = "url") -> str:
    """The address as given in the field `name`; raises Rejected for what no webhook may go to."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Rejected("url-invalid", f"`{name}` is not an address that can be called") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Rejected("url-invalid", f"`{name}` must begin with https:// (or http://) and name a host")
    if parsed.userinfo:
        raise Rejected(
            "url-invalid", f"`{name}` must not carry a user or a password; requests are signed instead"
        )
    literal = parse_literal(parsed.host)
    is_inside = literal is not None and not is_public(literal)
    named_inside = parsed.host == "localhost" or parsed.host.endswith((".localhost", ".local", ".internal"))
    if not allow_private and (is_inside or named_inside or looks_like_disguised_address(parsed.host)):
        raise Rejected(
            "address-refused", f"`{name}` leads into a private network; only public addresses can be called"
        )
    return url


def check_mail_address(text: str) -> str:
    """Raises Rejected unless it is one plain address."""
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError) as error:
        raise Rejected("mail-address-invalid", "`to` must be one mail address") from error
    if not found.username or ("." not in found.domain and found.domain != "localhost"):
        raise Rejected("mail-address-invalid", "`to` must be one mail address")
    return text
