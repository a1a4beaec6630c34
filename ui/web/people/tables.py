"""The tables that people are kept in. Pure."""

from typing import Final

from ui.web.jobs import removed_users

_PEOPLE: Final = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('user', 'operator')),
    password TEXT,     -- an Argon2id hash; NULL: an OpenID provider knows them
    issuer TEXT,       -- that provider
    subject TEXT,      -- and who they are to it
    made_ms INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    digest BLOB PRIMARY KEY,   -- SHA-256 of what the cookie holds
    name TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_name ON sessions (name);
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,      -- SHA-256 of the whole token
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    used_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS tokens_by_name ON tokens (name);
"""
SCHEMA: Final = _PEOPLE + removed_users.SCHEMA
