"""The simulated Twilio: an account in memory, a REST API on it, and the calls it makes to our server."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from starlette.applications import Starlette

from replyline.clock import Clock, SystemClock
from replyline.phone_numbers import SenderKind, parse_e164, sender_kind
from replyline.simulator.account import Account, Alert, Message, MessagingService, Number
from replyline.simulator.background import Background
from replyline.simulator.billing import Billing
from replyline.simulator.changes import Change
from replyline.simulator.consents import Consents
from replyline.simulator.control import control_routes
from replyline.simulator.delivery import Delivery
from replyline.simulator.exchange import DeliveryTimes, Exchange
from replyline.simulator.faults import Faults
from replyline.simulator.holding import Holding
from replyline.simulator.inbound import Inbound
from replyline.simulator.new_message import Policy
from replyline.simulator.pacing import Lanes
from replyline.simulator.phone import SimulatedPhone
from replyline.simulator.resources import Resources
from replyline.simulator.rest import RestApi
from replyline.simulator.serve import serve
from replyline.simulator.webhooks import Webhooks

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  # of an account that does not exist


class SimulatedTwilio:
    """Twilio for tests, the demo and your own line's tests. What it holds is in memory and dies with it.

    `app` is an ASGI app with Twilio's paths: serve it, or mount it below a path and say so in `url`. Both auth
    tokens open the REST API, `auth_token` signs; `api_keys` are SIDs and their secrets. `faults` makes things go wrong;
    over HTTP the same is done below /control: docs/guide/simulator.md.
    """

    def __init__(
        self,
        *,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        secondary_auth_token: str | None = None,
        api_keys: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        delivery: DeliveryTimes | None = None,
        policy: Policy | None = None,
        url: str = "https://api.twilio.com",
    ) -> None:
        clock, policy = clock or SystemClock(), policy or Policy()
        self.account_sid, self.auth_token = account_sid, auth_token
        self.faults = Faults(clock=clock)
        self._account = Account(sid=account_sid, clock=clock, created_at=clock.now())
        self._exchange = self._wire(delivery or DeliveryTimes(), policy, clock, url.rstrip("/"))
        self._phones: dict[str, SimulatedPhone] = {}
        outbound = Delivery(self._exchange)
        self._inbound = Inbound(self._exchange, outbound)
        tokens = (auth_token, secondary_auth_token) if secondary_auth_token else (auth_token,)
        secrets = {account_sid: tokens} | {key: (secret,) for key, secret in (api_keys or {}).items()}
        api = RestApi(self._exchange, secrets)
        resources = Resources(self._exchange, outbound)
        consents = Consents(self._exchange)
        self.app: Starlette = api.app(
            [*resources.routes(api), *consents.routes(api), *control_routes(self, self._account)]
        )

    def _wire(self, times: DeliveryTimes, policy: Policy, clock: Clock, url: str) -> Exchange:
        webhooks = Webhooks(auth_token=lambda: self.auth_token, new_token=lambda: self._account.new_sid(""))
        background = Background(clock)
        return Exchange(
            account=self._account,
            clock=clock,
            times=times,
            faults=self.faults,
            webhooks=webhooks,
            background=background,
            holding=Holding(clock, background),
            policy=policy,
            lanes=Lanes(self._account, clock, lambda: self.policy.pacing),
            billing=Billing(self._account, lambda: self.policy.tariff),
            url=url,
            screen_of=self.phone,
        )

    @property
    def url(self) -> str:
        """Where this Twilio is reached: the addresses of pictures in webhooks begin with it."""
        return self._exchange.url

    @url.setter
    def url(self, url: str) -> None:
        self._exchange.url = url.rstrip("/")

    @property
    def policy(self) -> Policy:
        """What the account may do; it can be changed at any time."""
        return self._exchange.policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._exchange.policy = policy

    @property
    def numbers(self) -> list[str]:
        """The account's numbers and short codes, in the order they were added."""
        return list(self._account.numbers)

    @property
    def messages(self) -> list[Message]:
        """Every message of the account, the oldest first."""
        return list(self._account.messages.values())

    @property
    def alerts(self) -> list[Alert]:
        """What Twilio's debugger would show."""
        return list(self._account.alerts)

    def add_number(
        self,
        address: str,
        *,
        sms_url: str = "",
        sms_method: str = "POST",
        fallback_url: str = "",
        fallback_method: str = "POST",
        can_mms: bool = True,
    ) -> Number:
        """Give the account a phone number or a short code, or change what is called when it is texted.

        Raises `NotAPhoneNumber`.
        """
        is_short = sender_kind(address) is SenderKind.SHORT_CODE
        address = address if is_short else parse_e164(address)
        now = self._account.clock.now()
        before = self._account.numbers.get(address)
        number = Number(
            sid=before.sid if before else self._account.new_sid("SC" if is_short else "PN"),
            address=address,
            created_at=before.created_at if before else now,
            updated_at=now,
            sms_url=sms_url,
            sms_method=sms_method,
            sms_fallback_url=fallback_url,
            sms_fallback_method=fallback_method,
            can_mms=can_mms,
        )
        self._account.numbers[address] = number
        return number

    def add_messaging_service(
        self,
        senders: Sequence[str],
        *,
        friendly_name: str = "Simulated service",
        inbound_request_url: str = "",
        inbound_method: str = "POST",
        fallback_url: str = "",
        fallback_method: str = "POST",
        use_inbound_webhook_on_number: bool = False,
        status_callback: str = "",
        advanced_opt_out: bool = False,
    ) -> MessagingService:
        """Put numbers into a new messaging service."""
        service = MessagingService(
            sid=self._account.new_sid("MG"),
            friendly_name=friendly_name,
            senders=tuple(senders),
            inbound_request_url=inbound_request_url,
            inbound_method=inbound_method,
            fallback_url=fallback_url,
            fallback_method=fallback_method,
            use_inbound_webhook_on_number=use_inbound_webhook_on_number,
            status_callback=status_callback,
            advanced_opt_out=advanced_opt_out,
        )
        self._account.services[service.sid] = service
        return service

    def phone(self, number: str, *, texts_with: str | None = None) -> SimulatedPhone:
        """The phone with this number; always the same one. `texts_with` is where its texts go when nothing is said."""
        if number not in self._phones:
            self._phones[number] = SimulatedPhone(number, self)
        phone = self._phones[number]
        phone.texts_with = texts_with or phone.texts_with
        return phone

    def message(self, sid: str) -> Message:
        """One message by its SID."""
        return self._account.messages[sid]

    def bill(self, since: date, until: date) -> Decimal:
        """What these days cost in all, by the policy's tariff; without one nothing does."""
        return self._exchange.billing.total(since, until)

    def refund(self, sid: str) -> None:
        """Take back what a message cost: its price becomes zero, and so does its part of its day's bill."""
        self._account.change(self.message(sid), is_refunded=True)

    def has_opted_out(self, phone: str, number: str) -> bool:
        """Whether Twilio would refuse a text from this number to this phone with 21610."""
        return self._exchange.opt_outs.blocks(phone, number, self._account.service_of(number))

    def opt_out(self, phone: str, number: str) -> None:
        """Put a phone on Twilio's own list, as its STOP would, with no text that says so."""
        self._exchange.opt_outs.block(phone, number, self._account.service_of(number))

    async def text_from_phone(self, *, from_: str, to: str, body: str, media: Sequence[tuple[str, bytes]] = ()) -> str:
        """Take a phone's text to one of the account's numbers. Gives its SID once our server has answered.

        Raises `NotOurNumber`.
        """
        number = self._account.number(to)
        return await self._exchange.background.start(self._inbound.take(from_, number, body, media))

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Let a listener see what happens on Twilio's side; call what this returns to end it."""
        self._exchange.changes.listeners.append(listener)
        return lambda: self._exchange.changes.listeners.remove(listener)

    @contextlib.asynccontextmanager
    async def serving(self, *, port: int = 0) -> AsyncIterator[str]:
        """Serve the REST API on a port of this machine; gives its address, and closes everything at the end."""
        try:
            async with serve(self.app, port=port) as url:
                self.url = url
                yield url
        finally:
            await self.close()

    async def settle(self, timeout: float = 10.0) -> None:
        """Wait until nothing is under way but messages scheduled for later. Raises `TimeoutError`."""
        await self._exchange.background.settle(timeout)

    async def close(self) -> None:
        """Stop what is under way."""
        await self._exchange.background.close()
        await self._exchange.webhooks.close()
