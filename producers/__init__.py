"""Who publishes jobs: the router, and the client library. Never imports `consumers`: a job is known by its envelope.

The router decides in pure code:

- `dispatcher` is its mind: deliveries, heartbeats and time in, `commands` out;
- who comes in, and who is next: `admission`, `limits`, `retries`, `cancels`; `line`, `fairness` and its `shares`;
- which machine: `placing`, the policies in `placement`, `ahead`, and `cloud`;
- what it knows: `megapixels`, `estimates`, `work`, `placed`, `learning`, `stranded`;
- what it tells: `steps`, `waits` with its forecasts in `eta`.

It acts in thin shells: `router`, with `leadership` (who is the active one), `lanes` (looking ahead as `intake` allows),
`collecting`, `refusals` and `tickets`.
"""
