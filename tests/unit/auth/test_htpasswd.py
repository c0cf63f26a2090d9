"""`registry.auth.htpasswd`: lines, and the hashes that we take."""

from __future__ import annotations

import bcrypt
import pytest

from registry.auth.htpasswd import Entry, entries, fit_hash
from registry.auth.passwords import Passwords, UnusablePasswordHash


def test_comments_and_empty_lines_say_nothing_and_are_counted() -> None:
    text = "# users\n\nalice:$2y$05$x:more\r\n  \n bob:hash \ncolonless\n"
    assert list(entries(text)) == [Entry(3, "alice", "$2y$05$x:more"), Entry(5, "bob", "hash"), Entry(6, "", "")]


def test_an_entry_keeps_its_hash_to_itself() -> None:
    assert "secret" not in repr(Entry(1, "alice", "secret"))


def test_only_bcrypt_is_taken() -> None:
    passwords = Passwords()
    good = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    assert fit_hash(good, passwords) == good
    for each in ("", "x", "{SHA}x", "$apr1$x$y", passwords.hash("correct horse"), good[:-1], f"{good}x"):
        with pytest.raises(UnusablePasswordHash):
            fit_hash(each, passwords)
