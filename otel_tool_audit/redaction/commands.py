"""
Secrets in command lines: as a list of arguments, as that list is printed, and as a shell's text.

Source: the manuals of the commands named here; POSIX.1-2024, "Utility Conventions" (options and their arguments).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from otel_tool_audit.redaction.judging import is_placeholder
from otel_tool_audit.redaction.keys import KeyKind, KeyNames, word_set, words_of
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.work import Work

_SECRET_OPTIONS: Final = {
    "-p": word_set("mysql mysqldump mysqladmin mysqlimport mariadb mariadb-dump mariadb-admin sshpass docker podman nerdctl skopeo buildah helm mongo mongosh mongodump mongorestore"
               " mongoexport mongoimport cqlsh az cf oc rabbitmqadmin rdesktop htpasswd 7z 7za hydra mosquitto_pub mosquitto_sub arangosh influx clickhouse-client couchbase-cli"
               " cqlsh nodetool ibmcloud login registry regctl crane oras vsql"),
    "-N": frozenset({"ssh-keygen"}),
    "-P": word_set("ssh-keygen sqlcmd bcp zip unzip isql mosquitto_pub mosquitto_sub ipmitool mqtt"),
    "-a": frozenset({"redis-cli", "redis-benchmark", "valkey-cli", "keydb-cli"}),
    "-k": frozenset({"openssl"}), "-K": frozenset({"openssl"}),
    "-w": word_set("ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldappasswd nxc"),
    "-c": word_set("snmpwalk snmpget snmpset snmpbulkwalk"),
    "-W": frozenset({"kadmin", "secret-tool"}),
}  # fmt: skip
_ATTACHED: Final = word_set("mysql mysqldump mysqladmin mysqlimport mariadb mariadb-dump mariadb-admin sshpass 7z 7za rar unrar")
_LOGIN_ONLY: Final = word_set("docker podman nerdctl skopeo buildah helm az cf oc ibmcloud crane oras regctl")
_OWN_USER: Final = word_set("docker podman nerdctl kubectl sudo su chown runuser crun setpriv install rsync id crontab journalctl git sort date")
_OTHER_P: Final = words_of("commands.other-p")
_NOT_BEFORE: Final = word_set("sudo env exec nohup time nice bash sh -c docker kubectl --")
_WORD: Final = re.compile(
    r"\\{1,7}\"(?P<escaped>[^\"\\]{0,2048})(?:\\{1,7}\"|$)|\"(?P<double>(?:[^\"\\]|\\.){0,4096}+)(?:\"|$)|'(?P<single>(?:[^'\\]|\\.){0,4096}+)(?:'|$)"
    r"|(?P<bare>(?:[^\s\"',\[\]()\\]|\\.)++|[()])"
)
_BETWEEN: Final = r"(?:\\{0,7}[\"'])?(?:,[ ]?|[ ]{1,4})(?:b?\\{0,7}[\"'])?"
_ONE: Final = r"[^\s\"',]{1,128}"
_POSITIONAL: Final = re.compile(
    rf"(?<![\w-])(?:rabbitmqctl{_BETWEEN}(?:add_user|change_password){_BETWEEN}{_ONE}|vault{_BETWEEN}login(?:{_BETWEEN}-[a-z]{{2,16}}(?:={_ONE})?){{0,3}}"
    rf"|(?:mysqladmin|mariadb-admin)(?:{_BETWEEN}-{_ONE}){{0,8}}{_BETWEEN}password|wpa_passphrase{_BETWEEN}{_ONE}|net{_BETWEEN}use(?:{_BETWEEN}[A-Za-z]:)?{_BETWEEN}\\{{2,8}}{_ONE}"
    rf"|net{_BETWEEN}user{_BETWEEN}{_ONE}|aws{_BETWEEN}configure{_BETWEEN}set{_BETWEEN}aws_(?:secret_access_key|session_token)|wifi{_BETWEEN}connect{_BETWEEN}{_ONE}{_BETWEEN}password"
    rf"|htpasswd{_BETWEEN}-[a-zA-Z]{{0,6}}b[a-zA-Z]{{0,6}}{_BETWEEN}{_ONE}{_BETWEEN}{_ONE}|op{_BETWEEN}--session)"
    rf"{_BETWEEN}(?![-/:|&;<>*=])(?P<word>[^\s\"',\\|;&<>]{{4,512}})"
)
"""Commands that take a secret by its place among their words, in a shell's text and in a list as it is printed."""

_STORED: Final = re.compile(
    rf"(?<![\w-])(?:create{_BETWEEN}secret{_BETWEEN}|secrets{_BETWEEN}(?:set|import){_BETWEEN}|config:set{_BETWEEN}|secret{_BETWEEN}put{_BETWEEN})(?P<rest>[^\n|;&]{{1,4096}})"
)
_LITERAL: Final = re.compile(r"(?<![\w.-])(?:--from-literal=\\{0,7}[\"']?)?[A-Za-z_][\w.-]{0,64}=(?![\"'\s])(?P<word>[^\s\"',\\]{1,4096})")
_PIPED: Final = re.compile(
    r"\b(?:echo|printf)[ ](?:-[neE]{1,3}[ ])?(?:\"(?P<double>[^\"\n$]{1,256})\"|'(?P<single>[^'\n]{1,256})'|(?P<bare>[^\s\"'$|]{1,256}))[ ]{0,4}\|[ ]{0,4}"
    r"(?:sudo[ ](?:-\w{1,3}[ ]){0,3}-S\b|(?:sudo[ ])?chpasswd\b|[^|\n]{1,256}?--(?:password|passphrase|token|secret)-(?:stdin|fd)\b|gh auth login|(?:sudo[ ])?passwd\b)"
)
"""What a shell hands to a command that reads a secret from its input."""

_COOKIES: Final = re.compile(rf"(?<=[\s\"',])(?:-b|--cookie){_BETWEEN}(?P<word>[^\s\"'=,]{{1,64}}=[^\"'\n]{{4,1024}}?)(?=[\"'\n]|$|[ ]-|[ ]http)")
_SMB: Final = re.compile(rf"-U{_BETWEEN}[\w.\\/@-]{{1,64}}%(?P<word>[^\s\"',\\]{{1,256}})")
BY_PLACE: Final = words_of("commands.by-place")
"""Commands that take a secret by its place."""

_NAMED_WORDS: Final = (
    "rabbitmqctl", "vault", "admin", "wpa_passphrase", "net", "-S", "passwd", "login", "-stdin", "-b", "--cookie", "configure", "wifi",
    "htpasswd", "--session", "secret", "config:set", "-U",
)  # fmt: skip
_DEEPEST: Final = 3
_SIGN: Final = re.compile(r"[ \t\n\"'\[,]-")
_BEFORE_NAME: Final = re.compile(r"[/=?&\\:]")
_HINT: Final = re.compile(r"(?:^|[\s\"'\[(,])-{1,2}[A-Za-z]")
_TELLING: Final = re.compile(r"(?=[^\s]{6,128}$)(?=.*[0-9])(?=.*[A-Za-z])[^/=:.,\s]{6,128}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,32}|[A-Z][a-z]{1,32}")
_PORT: Final = re.compile(r"[0-9.:/-]{1,32}(?:/(?:tcp|udp))?")
OPTION_TALK: Final = word_set("and or is to for the in with option flag flags argument parameter was on from if as")
"""Words behind an option's name that speak of it."""

_MADE_UP: Final = word_set("test pass password passwd pwd token secret yyy user username key apikey api_key x-oauth-basic x-token-auth x")
_USER_OPTIONS: Final = word_set("-u -U --user --proxy-user --user-pass --userpwd --basic --auth --proxy-auth")
_LONGEST_LETTERS: Final = 5
"""Characters of a sign with letters (``-tulpn``); what is longer is an option's name (``-storepass``)."""

_HTTPIE: Final = frozenset({"http", "https", "xh", "xhs"})
_MOST_WORDS: Final = 512

Word = tuple[int, int, str]
"""Where a word stands, without its quotes, and what it says."""


def find_commands(text: str, names: KeyNames, work: Work) -> Iterator[Span]:
    """
    Find passwords among the words of a command line: ``mysql -u root -p x``, ``['curl', '-u', 'user:x']``.

    Args:
        text: Any text.
        names: Judges names.
        work: Counts what is looked at.
    """
    if text[:1] == "-" or _SIGN.search(text):
        yield from _in(text, 0, len(text), names, work, 0)
    if any(word in text for word in _NAMED_WORDS):
        yield from ((*span, "command-password") for span in _by_place(text))


def _by_place(text: str) -> Iterator[tuple[int, int]]:
    """Find the secrets that a command takes by their place, and what it is told to store as one."""
    for match in (*_POSITIONAL.finditer(text), *(_SMB.finditer(text) if "%" in text else ())):
        if not is_placeholder(match["word"]):
            yield match.span("word")
    for match in (*(_PIPED.finditer(text) if "|" in text else ()), *(_COOKIES.finditer(text) if "curl" in text else ())):
        group = match.lastgroup or "bare"
        if not is_placeholder(match[group]):
            yield match.span(group)
    for stored in _STORED.finditer(text) if "=" in text else ():
        for literal in _LITERAL.finditer(text, *stored.span("rest")):
            if not is_placeholder(literal["word"]):
                yield literal.span("word")


def _in(text: str, begin: int, stop: int, names: KeyNames, work: Work, depth: int) -> Iterator[Span]:
    """Look at each line between two places; a quoted word that is a command line itself is one of its own."""
    while begin < stop:
        end = text.find("\n", begin, stop)
        while end > 0 and text[end - 1] == "\\":
            # a shell's line goes on below
            end = text.find("\n", end + 1, stop)
        end = stop if end < 0 else end
        if _HINT.search(text, begin, end):
            work.spend(8 * (end - begin))
            words = _words(text, begin, end)
            for at, first, last in secret_words([word[2] for word in words], names):
                yield words[at][0] + first, words[at][0] + last, "command-password"
            for start, last, word in words if depth < _DEEPEST else ():
                if last - start < end - begin and _SIGN.search(word):
                    yield from _in(text, start, last, names, work, depth + 1)
        begin = end + 1


def _words(text: str, begin: int, end: int) -> list[Word]:
    words: list[Word] = []
    done = -1
    for match in _WORD.finditer(text, begin, end):
        start, last = match.span(match.lastgroup or 0)
        if match.start() == done and words:
            # a shell joins what stands without a blank between
            start = words.pop()[0]
        words.append((start, last, text[start:last]))
        done = match.end()
        if len(words) >= _MOST_WORDS:
            break
    return words


def secret_words(words: Sequence[str], names: KeyNames) -> Iterator[tuple[int, int, int]]:  # noqa: C901 - a branch for each way of writing an option
    """
    Tell which words of a command line are secrets.

    Args:
        words: In order, without quotes.
        names: Judges names.

    Yields:
        The number of a word, and from where to where in it the secret stands.
    """
    commands = {_BEFORE_NAME.split(word)[-1].lower() for word in words[:16] if word[:1] not in ("-", "")}
    first = next(
        (name for word in words if (name := word.rpartition("/")[2]) and name not in _NOT_BEFORE and "=" not in name and name[:1] != "-"), ""
    )
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else None
        if word[:1] != "-" or len(word) < 2:  # noqa: PLR2004 - a sign and a letter
            continue
        if (
            (word.startswith("--") or len(word) > _LONGEST_LETTERS)
            and following is not None
            and "=" not in word
            and _is_secret_option(word, following, names)
        ):
            yield at + 1, 0, len(following)
        elif (word in _USER_OPTIONS or (word == "-a" and not commands.isdisjoint(_HTTPIE))) and following is not None:
            yield from _of_user(at + 1, following, 0, commands)
        elif word.startswith(("--user=", "--proxy-user=")):
            yield from _of_user(at, word, word.index("=") + 1, commands)
        elif word.startswith("-u") and len(word) > 4 and ":" in word and not word.startswith("--"):  # noqa: PLR2004 - attached
            yield from _of_user(at, word, 2, commands)
        elif word in ("-pass", "-passin", "-passout", "-passwd") and following is not None and (following.startswith("pass:") or word == "-passwd"):
            yield at + 1, 5 if following.startswith("pass:") else 0, len(following)
        elif len(word) == 2 and following is not None and _is_secret_letter(words, at, commands, first):  # noqa: PLR2004 - as above
            yield at + 1, 0, len(following)
        elif len(word) > 3 and word[:2] in ("-p", "-P") and not commands.isdisjoint(_ATTACHED) and not is_placeholder(word[2:]):  # noqa: PLR2004 - attached
            yield at, 2, len(word)
    if commands.isdisjoint(BY_PLACE):
        return
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    for begin, end in _by_place(" ".join(words)):
        at = bisect_right(starts, begin) - 1
        yield at, begin - starts[at], min(end - starts[at], len(words[at]))


def _is_secret_option(word: str, following: str, names: KeyNames) -> bool:
    return (
        names.judge(word).kind is KeyKind.SECRET
        and bool(following)
        and following.rstrip(".,;:!?)").lower() not in OPTION_TALK
        and not re.match(r"--?[A-Za-z]", following)
        and not is_placeholder(following)
    )


def _is_secret_letter(words: Sequence[str], at: int, commands: set[str], first: str) -> bool:
    word, following = words[at : at + 2]
    if not following or following[0] == "-" or is_placeholder(following):
        return False
    known = _SECRET_OPTIONS.get(word, frozenset()) & commands
    if word == "-p" and known and known <= _ATTACHED and "sshpass" not in known and _NAME.fullmatch(following):
        # with a blank between, these ask for the password, and what follows is a database; unless another follows that
        return at + 2 < len(words) and words[at + 2][:1].isalpha()
    if known and (not known <= _LOGIN_ONLY or "login" in words) and not ("ssh" in commands and word == "-p" and _PORT.fullmatch(following)):
        return not (word == "-P" and _PORT.fullmatch(following))
    if word != "-p" or first in _OTHER_P or _PORT.fullmatch(following):
        return False
    return bool({"-u", "-U", "--user", "--username"} & set(words)) or _TELLING.fullmatch(following) is not None


def _of_user(at: int, word: str, start: int, commands: set[str]) -> Iterator[tuple[int, int, int]]:
    """Find the password in ``user:password``."""
    user, colon, password = word[start:].partition(":")
    bare_user, bare = user.strip("\"'"), password.strip("\"'")
    curl = not commands.isdisjoint({"curl", "wget", "http", "https", "xh"})
    if not colon or (is_placeholder(user) and bare_user) or not bare or is_placeholder(password) or bare.lower() in _MADE_UP:
        if colon and not bare and curl and _could_be_one(bare_user):
            begin = start + user.index(bare_user)
            yield at, begin, begin + len(bare_user)
        return
    if not curl and (not commands.isdisjoint(_OWN_USER) or bare.isdecimal() or "/" in word):
        return
    begin = start + len(user) + 1 + password.index(bare)
    yield at, begin, begin + len(bare)


def _could_be_one(user: str) -> bool:
    # a key given as the user, with no password after it
    return len(user) >= 8 and any(c.isdigit() for c in user) and (user.lower() != user or not user.isalnum())  # noqa: PLR2004
