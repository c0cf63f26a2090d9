"""Sources of accounts beside our own: providers of OpenID Connect and LDAP directories say who somebody is.

    sources.toml ──▶ Sources ──┬─ [[oidc]] ──▶ Provider: begin ──▶ browser ──▶ finish ──┐
                               └─ [[ldap]] ──▶ Directory: identify(name, password) ─────┴──▶ ExternalIdentity

Nothing here knows accounts of ours or pages: whoever is handed an identity decides what it means here.
"""
