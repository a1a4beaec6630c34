"""What a sample says of itself."""

from ui.web.live.sample import History, Latency, Sample, VmColumns


def test_a_sample_is_told_without_what_is_not_known() -> None:
    sample = Sample(
        at_ms=2500, connected=True, vms={}, lanes={}, queues={}, second_ms=1000, latency=Latency(n=0), cpu_threshold=40,
        ram_threshold=90,
    )  # fmt: skip
    told = sample.model_dump(mode="json", exclude_none=True)
    assert told["latency"] == {"n": 0, "by_operation": {}}
    assert not {"router", "cloud"} & told.keys()


def test_a_history_takes_gaps() -> None:
    columns = VmColumns(cpu=(None, 1.5))
    history = History(from_ms=0, rows=2, complete=True, vms={"vm1": columns}, placed={}, queues={}, total={})
    assert history.model_dump(mode="json")["vms"]["vm1"]["cpu"] == [None, 1.5]
