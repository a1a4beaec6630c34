from ui.web.pages import shell


def test_the_page_one_is_on_is_marked_and_no_other() -> None:
    html = shell.navigation("Pictures", [("/", "Pictures"), ("/account", "Account")])
    assert html.count("aria-current") == 1
    assert '<a href="/" aria-current="page">Pictures</a>' in html


def test_a_name_with_markup_is_only_ever_text() -> None:
    html = shell.user_menu('<b onclick="x">', "user", logs_out=True)
    assert "<b " not in html
    assert "&lt;b onclick=&quot;x&quot;&gt;" in html


def test_one_logs_out_where_one_has_logged_in() -> None:
    assert 'action="/logout"' in shell.user_menu("anna", "user", logs_out=True)
    assert "logout" not in shell.user_menu("demo", "operator", logs_out=False)


def test_the_theme_is_set_before_any_style_sheet_is_asked_for() -> None:
    html = shell.head("/static/1", ("css/work.css",), ("js/wire.js",))
    assert html.index("<script>") < html.index("stylesheet")
    assert '<link rel="stylesheet" href="/static/1/css/work.css">' in html
    assert '<link rel="modulepreload" href="/static/1/js/wire.js">' in html


def test_what_a_page_knows_of_keys_is_in_the_list_with_what_holds_everywhere() -> None:
    html = shell.body("/static/1", "Pictures", [], "", [("j k", "Next picture")])
    assert "<dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>Next picture</dd>" in html
    assert "<kbd>?</kbd>" in html
