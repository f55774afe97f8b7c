"""Every page of the console, in one table: how it is reached, and who may."""

from dataclasses import dataclass

from aiohttp import web

from kentongan.access import Act
from service.console import alert, home, login, password, people, receipts, static
from service.console.serving import Handler, serving
from service.console.visit import Visit
from service.web.problems import missing

_ALERT = "/console/alerts/{alert_id:alr_[0-9a-v]{26}}"
_PERSON = "{person_id:per_[0-9a-v]{26}}"


@dataclass(frozen=True, slots=True)
class Page:
    """One way in. `act` is what it needs a role to be allowed; None: nobody has to be known."""

    method: str
    path: str
    act: Act | None
    handler: Handler


async def _without_slash(_visit: Visit) -> web.Response:
    return login.to(login.HOME)


async def _missing(_visit: Visit) -> web.Response:
    raise missing("page")


PAGES = (
    Page("GET", "/console", Act.READ_ALERT, home.show),
    Page("GET", "/console/", None, _without_slash),
    Page("GET", "/console/login", None, login.show),
    Page("POST", "/console/login", None, login.sign_in),
    Page("POST", "/console/login/code", None, login.prove),
    Page("POST", "/console/logout", Act.WHO_AM_I, login.sign_out),
    Page("GET", "/console/password", Act.WHO_AM_I, password.show),
    Page("POST", "/console/password", Act.WHO_AM_I, password.change),
    Page("GET", _ALERT, Act.READ_ALERT, alert.show),
    Page("GET", f"{_ALERT}/receipts", Act.READ_ALERT, receipts.show),
    Page("GET", f"{_ALERT}/people", Act.READ_ALERT, people.show),
    Page("GET", f"{_ALERT}/people/{_PERSON}", Act.READ_ALERT, people.show_one),
    # The last: whatever else is looked for under /console.
    Page("GET", "/console/{rest:.*}", Act.WHO_AM_I, _missing),
)

routes = [
    web.get("/console/static/{hash}/{name}", static.serve),
    *(web.route(page.method, page.path, serving(page.act, page.handler)) for page in PAGES),
]
