"""For everybody: keyboard alone, a phone, light and dark, and words for those who do not see."""

import pytest
from demo import fill, several
from mock import Gateway
from selenium.webdriver.common.keys import Keys

VIEWS = ["#/", "#/requests", "#/jobs", "#/dead", "#/submit", "job", "request"]

CONTRAST = """
const channel = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const paint = (colours) => { context.clearRect(0, 0, 1, 1); for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); } return [...context.getImageData(0, 0, 1, 1).data]; };
const ground = (element) => { const colours = []; for (let one = element; one; one = one.parentElement) colours.unshift(getComputedStyle(one).backgroundColor); return colours; };
const weak = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || element.closest('.hidden, :disabled, .skip')) continue;
  const style = getComputedStyle(element);
  const svg = element.closest('svg');
  if (svg && element.tagName !== 'text') continue;
  // A node of the graph stands on its box, which has the colour of the tables.
  const below = svg ? [...ground(svg), ...(element.closest('.node') ? [getComputedStyle(element.closest('.node').querySelector('rect')).fill] : [])] : ground(element);
  const back = light(paint(below));
  const front = light(paint([...below, svg ? style.fill : style.color]));
  const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
  if (ratio < 4.5) weak.push(`${element.tagName}.${element.getAttribute('class')} ${element.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return weak;
"""

NAMES = """
const wrong = [];
for (const element of document.querySelectorAll('input, select, textarea, button, a[href], progress, meter, audio, dialog, summary')) {
  if (!element.checkVisibility()) continue;
  const name = element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent.trim() || element.getAttribute('aria-labelledby');
  if (!name && element.tagName !== 'AUDIO') wrong.push(element.outerHTML.slice(0, 120));
  if (element.tabIndex > 0) wrong.push(`tabindex ${element.tabIndex}`);
}
for (const table of document.querySelectorAll('table')) if (!table.caption || table.querySelectorAll('thead th[scope=col]').length === 0) wrong.push('a table without caption or headers');
if (document.querySelectorAll('h1').length !== 1) wrong.push(`${document.querySelectorAll('h1').length} h1`);
if (document.querySelectorAll('main').length !== 1 || !document.documentElement.lang) wrong.push('no main or language');
const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
if (new Set(ids).size !== ids.length) wrong.push('an id twice');
return wrong;
"""


@pytest.fixture(scope="module")
def full():
    """A gateway with something of everything; nobody changes it."""
    gateway = Gateway()
    fill(gateway.world)
    gateway.world.full = {"job": several(gateway.world), "request": gateway.world.job("audio", "queued")}
    gateway.world.job("text", "blocked", request=gateway.world.full["request"]["id"], index=1, after=[0])
    yield gateway
    gateway.close()


@pytest.fixture
def gateway(full):
    return full


def look(browser, world, view):
    address = {"job": f"#/jobs/{world.full['job']['id']}", "request": f"#/requests/{world.full['request']['id']}"}.get(view, view)
    browser.open(address)
    selector = {"#/": ".worker", "#/dead": "tbody tr", "#/jobs": "tbody tr", "#/requests": "tbody tr", "job": ".timeline li", "request": ".node", "#/submit": "#text"}[view]
    browser.find(selector)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_text_has_contrast(browser, world, view, scheme):
    browser.emulate(scheme=scheme)
    look(browser, world, view)
    assert browser.script(CONTRAST) == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_has_a_name_and_every_table_its_headers(browser, world, view):
    look(browser, world, view)
    assert browser.script(NAMES) == []
    assert browser.driver.title.endswith("Statex") and browser.driver.title != "Statex"


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_it_without_scrolling_sideways(browser, world, view):
    browser.emulate(width=360, height=740)
    look(browser, world, view)
    assert browser.script("return document.documentElement.scrollWidth") == 360
    small = browser.script("return [...document.querySelectorAll('main button, nav a')].filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24).map((one) => one.outerHTML)")
    assert small == []


def test_the_skip_link_is_first_and_leads_past_the_navigation(browser, world):
    look(browser, world, "#/")
    browser.script("document.activeElement.blur()")
    browser.type(Keys.TAB)
    assert browser.driver.switch_to.active_element.get_attribute("id") == "skip"
    browser.type(Keys.ENTER)
    assert browser.driver.switch_to.active_element.get_attribute("id") == "main"
    browser.type(Keys.TAB)
    assert browser.script("return document.activeElement.closest('main') !== null && getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_new_view_has_the_focus(browser, world):
    look(browser, world, "#/")
    browser.button("Jobs").click()
    browser.wait(lambda: browser.script("return document.activeElement.id") == "main")


def test_focus_and_place_survive_what_changes(browser, world):
    look(browser, world, "#/")
    browser.tab_to("Pause audio", 120)
    asked = len(world.log)
    world.job("audio")
    browser.wait(lambda: sum(path == "/v1/queues" for _, path in browser.asked(asked)) >= 3)
    assert browser.driver.switch_to.active_element.accessible_name == "Pause audio"


def test_a_dialog_holds_the_focus_and_gives_it_back(browser, world):
    look(browser, world, "#/dead")
    browser.tab_to("Drop all of kind audio", 120)
    browser.type(Keys.ENTER)
    browser.sees("dead letters fit", "dialog")
    for _ in range(6):
        browser.type(Keys.TAB)
        assert browser.script("return document.activeElement === document.body || document.activeElement.closest('dialog') !== null")
    browser.type(Keys.ESCAPE)
    browser.wait(lambda: not browser.all("dialog"))
    assert browser.driver.switch_to.active_element.accessible_name.startswith("Drop all of kind audio")


def test_the_theme_follows_the_system_until_one_is_chosen_and_is_kept(browser, world):
    ground = lambda: browser.script("return getComputedStyle(document.documentElement).backgroundColor")
    browser.emulate(scheme="light")
    look(browser, world, "#/submit")
    light = ground()
    browser.emulate(scheme="dark")
    dark = ground()
    assert light != dark
    browser.button("Theme: system").click()
    assert ground() == light
    browser.driver.refresh()
    assert ground() == light
    browser.button("Theme: light").click()
    browser.emulate(scheme="light")
    assert ground() == dark
    browser.button("Theme: dark").click()
    assert ground() == light


def test_who_wants_less_motion_has_none(browser, world):
    browser.emulate(motion="reduce")
    look(browser, world, "job")
    browser.find(".streaming.live")
    assert browser.script("return document.getAnimations().length") == 0
