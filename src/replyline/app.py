"""Wires everything, once: reads nothing and decides nothing, hands each part what it needs."""

import asyncio
import contextlib
import gc
import hashlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope
from starlette.types import Send as SendBytes

from replyline.alerts import raising
from replyline.alerts.addresses import addresses_in
from replyline.alerts.telling import Tell
from replyline.clock import Clock
from replyline.conversations.media_store import MediaStore, open_store
from replyline.costs import bill, fetching, folding, polling
from replyline.costs.bill import CompareBill
from replyline.costs.book import PriceBook, fetched
from replyline.costs.fetching import FetchPrices
from replyline.costs.folding import Fold
from replyline.costs.polling import AskPrices
from replyline.db import Db, open_db
from replyline.db.clock import clock_of, following
from replyline.inbound import backfill, media, media_at_twilio, messages_at_twilio
from replyline.inbound.backfill import Backfill
from replyline.inbound.keep_counts import keeping
from replyline.inbound.limits import PerAddress
from replyline.inbound.media import FetchMedia
from replyline.inbound.media_at_twilio import DeleteAtTwilio
from replyline.inbound.messages_at_twilio import DeleteErased
from replyline.inbound.webhooks import Counts, Fallback, Sms, StatusCallback, Webhook
from replyline.llm.ask import Model
from replyline.llm.scripted.model import ScriptedModel
from replyline.log import get_log
from replyline.outbound import consent_at_twilio, queue
from replyline.outbound.choose_sender import senders_of
from replyline.outbound.consent_at_twilio import TellConsent
from replyline.outbound.picture_links import PATH, PictureLinks, PicturePage
from replyline.outbound.send import Send
from replyline.people import files, retention, sign_up_page
from replyline.people.files import DeleteFiles
from replyline.people.retention import Retention
from replyline.people.sign_up_page import SignUpPage
from replyline.plugins.hooks import WebContext, WebFunction
from replyline.plugins.line import Line
from replyline.plugins.senders import Sender
from replyline.rules.keywords import Words, words_of
from replyline.rules.rulebook import read_rulebook
from replyline.settings import BadSetting, Settings
from replyline.turns import schedule
from replyline.turns.take_turn import TakeTurn
from replyline.twilio.client import TwilioClient
from replyline.twilio.media import MediaFetcher
from replyline.watch import look
from replyline.watch.look import Look
from replyline.work.worker import Pool, Worker

log = get_log(__name__)

SMS = "/webhooks/twilio/sms"
STATUS = "/webhooks/twilio/status"
FALLBACK = "/webhooks/twilio/fallback"

# A stop within 20 s: connections get 3 s, work 12 s, and the rest is for closing.
CONNECTION_GRACE = 3
WORK_GRACE = 12.0


class Web(Starlette):
    """The web side. A webhook is found by its path alone: routing and middleware would cost it 15 µs more."""

    def __init__(self, webhooks: Mapping[str, Webhook], **given: Any) -> None:
        super().__init__(**given)
        # "/plugins" is no address of ours. Sent on to "/plugins/", a query that is not UTF-8 would be an error.
        self.router.redirect_slashes = False
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: SendBytes) -> None:
        webhook = self._webhooks.get(scope["path"]) if scope["type"] == "http" else None
        await (webhook or super().__call__)(scope, receive, send)


@dataclass(kw_only=True)
class App:
    """One process of Replyline: the web side, the worker, or both."""

    settings: Settings
    line: Line
    db: Db
    clock: Clock
    worker: Worker | None
    twilio: TwilioClient
    fetcher: MediaFetcher
    store: MediaStore
    model: Model | None
    counts: Counts
    prices: PriceBook

    def web(self, *more: BaseRoute, on_start: Sequence[Callable[[], Awaitable[None]]] = ()) -> Starlette:
        """The web side. The worker, if there is one, lives and dies with it."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self.running():
                for start in on_start:
                    await start()
                yield

        return Web(self._webhooks(), routes=[*self._probes(), *self._pages(), *more], lifespan=lifespan)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work in the background; on leaving, finish or hand back what is held and let go of everything."""
        async with contextlib.AsyncExitStack() as leaving:
            leaving.push_async_callback(self.close)
            await leaving.enter_async_context(following(self.clock, self.db))
            await leaving.enter_async_context(keeping(self.counts, self.db, self.clock))
            working = await self._start_work()
            spare_the_collector()
            share_the_interpreter()
            try:
                yield
            finally:
                if self.worker and working:
                    await self.worker.stop(WORK_GRACE)
                    await asyncio.gather(working, return_exceptions=True)

    async def _start_work(self) -> asyncio.Task[None] | None:
        self.prices.take(await self.db.run(fetched))
        if self.worker is None:
            await self.db.run(backfill.begin_line, self.line.key, self.clock.now())
            return None
        await self.db.run(backfill.begin, self.line.key, self.clock.now())
        await self.db.run(retention.begin, self.line, self.clock.now())
        await self.db.run(consent_at_twilio.begin, self.line, self.clock.now())
        for begin in (folding.begin, polling.begin, bill.begin, fetching.begin):
            await self.db.run(begin, self.clock.now())
        await self.db.run(look.begin, self.clock.now())
        return asyncio.create_task(self.worker.run())

    async def close(self) -> None:
        """Let go of connections and of the database."""
        await self.twilio.close()
        await self.fetcher.close()
        await self.store.close()
        if self.model is not None:
            await self.model.close()
        await self.db.close()

    def _webhooks(self) -> dict[str, Webhook]:
        assert self.settings.public_url is not None
        limit = PerAddress()
        kinds: dict[str, type[Webhook]] = {SMS: Sms, STATUS: StatusCallback, FALLBACK: Fallback}
        return {
            path: kind(
                path=path,
                public_url=self.settings.public_url,
                auth_tokens=self.settings.auth_tokens,
                words=words_in(self.settings, self.line),
                secret=secret_of(self.settings),
                line=self.line,
                db=self.db,
                clock=self.clock,
                limit=limit,
                counts=self.counts,
                prices=self.prices,
            )
            for path, kind in kinds.items()
        }

    def _probes(self) -> list[BaseRoute]:
        async def healthz(_: Request) -> Response:
            return PlainTextResponse("ok\n")

        async def readyz(_: Request) -> Response:
            try:
                async with asyncio.timeout(2):
                    await self.db.run(answers)
            except Exception as error:
                return JSONResponse({"ready": False, "why": f"The database: {type(error).__name__}."}, status_code=503)
            return JSONResponse({"ready": True})

        return [Route("/healthz", healthz), Route("/readyz", readyz)]

    def _pages(self) -> list[BaseRoute]:
        web = WebContext(line=self.line, db=self.db, clock=self.clock, secret=secret_of(self.settings))
        own_pictures = PicturePage(self.db, self.clock, self.store, links_of(self.settings))
        pages = [Route(page.path, page_endpoint(page.answer, web)) for page in self.line.pages]
        sign_ups = SignUpPage(
            line=self.line,
            senders=senders_in(self.settings, self.line),
            db=self.db,
            clock=self.clock,
            secret=self.settings.sign_up_secret.get_secret_value() if self.settings.sign_up_secret else None,
        )
        return [
            Route(PATH, own_pictures.answer),
            Route(sign_up_page.PATH, sign_ups.answer, methods=["POST"]),
            *([Mount("/plugins", routes=pages)] if pages else []),
        ]


def senders_in(settings: Settings, line: Line) -> Sequence[Sender]:
    """What this line's texts may leave from. Raises `BadSender`."""
    return senders_of(line, number=settings.twilio_phone_number, service=settings.twilio_messaging_service_sid)


def words_in(settings: Settings, line: Line) -> Words:
    """The keywords that this line's people may use, beside Twilio's."""
    return words_of(read_rulebook(settings.rules_dir).keywords, line.keyword_languages)


def spare_the_collector() -> None:
    """What was made at the start stays, so the collector need not look at it again; and a text makes no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def share_the_interpreter() -> None:
    """Have whoever computes let go of the interpreter sooner than after Python's 5 ms.

    A database thread asks for it after every statement: 5 ms each, while turns go on, are 50 ms for a webhook.
    """
    sys.setswitchinterval(0.001)


def wire(
    settings: Settings, line: Line, *, model: Model | None, clock: Clock | None = None, db: Db | None = None
) -> App:
    """Build one process. Without a model it does the web side only. Call it inside a running event loop."""
    settings.need("twilio_account_sid", "twilio_auth_token", "public_url")
    if line.keeps.forgets_people:
        settings.need("hash_secret")
    username, password = rest_credentials(settings)
    db = db or open_db(settings.database_url)
    clock = clock or clock_of(db)
    twilio = twilio_of(settings)
    fetcher = MediaFetcher(username=username, password=password, api_url=settings.twilio_api_url)
    store = open_store(settings)
    prices = PriceBook(settings.prices_dir)
    worker = None
    if model is not None:
        worker = Worker(
            db,
            clock,
            pools(
                settings,
                line,
                db=db,
                clock=clock,
                twilio=twilio,
                fetcher=fetcher,
                store=store,
                model=model,
                prices=prices,
            ),
        )
    return App(
        settings=settings,
        line=line,
        db=db,
        clock=clock,
        worker=worker,
        twilio=twilio,
        fetcher=fetcher,
        store=store,
        model=model,
        counts=Counts(),
        prices=prices,
    )


def pools(
    settings: Settings,
    line: Line,
    *,
    db: Db,
    clock: Clock,
    twilio: TwilioClient,
    fetcher: MediaFetcher,
    store: MediaStore,
    model: Model,
    prices: PriceBook,
) -> list[Pool]:
    """The kinds of work there are. Turns and sends have places of their own, so neither can starve the other."""
    turn = TakeTurn(
        db=db,
        clock=clock,
        line=line,
        model=model,
        store=store,
        secret=secret_of(settings),
        sees_pictures=settings.model_sees_pictures,
        hears=not isinstance(model, ScriptedModel),  # which knows a few sentences, and not this question
        prices=prices,
    )
    send = Send(
        db=db,
        clock=clock,
        line=line,
        book=read_rulebook(settings.rules_dir),
        twilio=twilio,
        status_url=f"{settings.public_url}{STATUS}",
        links=links_of(settings),
        secret=secret_of(settings),
        prices=prices,
    )
    fetch = FetchMedia(db, clock, fetcher, store, delete_at_twilio=line.delete_media_at_twilio)
    delete = DeleteAtTwilio(db, clock, fetcher)
    find = Backfill(
        db=db,
        clock=clock,
        line=line,
        twilio=twilio,
        number=settings.twilio_phone_number,
        service=settings.twilio_messaging_service_sid,
        words=words_in(settings, line),
        secret=secret_of(settings),
        prices=prices,
    )
    fetch_prices = FetchPrices(db, clock, twilio, prices, countries=line.countries)
    compare = CompareBill(db, clock, twilio, line=line.key, numbers=numbers_of(settings, line), prices=prices)
    alerts = settings.alerts.get_secret_value() if settings.alerts else ""
    tell = Tell(db=db, clock=clock, name=line.name, addresses=addresses_in(alerts, secret_of(settings)))
    return [
        Pool(kinds={schedule.KIND: turn}, at_once=settings.at_once, begun_together=20),
        Pool(kinds={queue.KIND: send}, at_once=100, is_cut_off=lambda: twilio.is_cut_off),
        Pool(kinds={media.KIND: fetch, media_at_twilio.KIND: delete}, at_once=20),
        Pool(kinds={backfill.KIND: find}, at_once=1),
        Pool(
            kinds={
                messages_at_twilio.KIND: DeleteErased(db, clock, twilio),
                files.KIND: DeleteFiles(db, clock, store),
                consent_at_twilio.KIND: TellConsent(
                    db,
                    clock,
                    line,
                    twilio,
                    consent_at_twilio.senders_of(
                        line, settings.twilio_phone_number, settings.twilio_messaging_service_sid
                    ),
                ),
                retention.KIND: Retention(db, clock, line, secret=secret_of(settings)),
            },
            at_once=4,
        ),
        Pool(kinds={folding.KIND: Fold(db, clock)}, at_once=1),
        Pool(
            kinds={polling.KIND: AskPrices(db, clock, twilio), bill.KIND: compare, fetching.KIND: fetch_prices},
            at_once=3,
        ),
        Pool(kinds={look.KIND: Look(db, clock, line.timezone), raising.KIND: tell}, at_once=10),
    ]


def numbers_of(settings: Settings, line: Line) -> list[str]:
    """What this line rents, as far as its author and the settings say."""
    named = [settings.twilio_phone_number] if settings.twilio_phone_number else []
    return sorted({*named, *(sender.address for sender in line.senders)})


def twilio_of(settings: Settings) -> TwilioClient:
    """Twilio's REST API, with the account's credentials."""
    username, password = rest_credentials(settings)
    return TwilioClient(
        account_sid=settings.twilio_account_sid or "", username=username, password=password, url=settings.twilio_api_url
    )


def rest_credentials(settings: Settings) -> tuple[str, str]:
    """What the REST API is called with: an API key when there is one. Signatures always need the auth token."""
    if settings.twilio_api_key_sid and settings.twilio_api_key_secret:
        return settings.twilio_api_key_sid, settings.twilio_api_key_secret.get_secret_value()
    if settings.twilio_api_key_sid or settings.twilio_api_key_secret:
        raise BadSetting("TWILIO_API_KEY_SID and TWILIO_API_KEY_SECRET go together; only one of them is set.")
    return settings.twilio_account_sid or "", settings.auth_tokens[0]


def secret_of(settings: Settings) -> bytes:
    """The key of our own hashes and links, the same in every process."""
    if settings.hash_secret is None and not settings.auth_tokens:
        raise BadSetting("People's hashes need a key: set REPLYLINE_HASH_SECRET, or TWILIO_AUTH_TOKEN.")
    secret = settings.hash_secret.get_secret_value() if settings.hash_secret else settings.auth_tokens[0]
    return hashlib.sha256(b"replyline:" + secret.encode()).digest()


def links_of(settings: Settings) -> PictureLinks:
    assert settings.public_url is not None
    return PictureLinks(public_url=settings.public_url, secret=secret_of(settings))


def page_endpoint(answer: WebFunction, web: WebContext) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await answer(web, request)

    return endpoint


def answers(conn: Connection) -> None:
    conn.execute(text("SELECT 1"))
