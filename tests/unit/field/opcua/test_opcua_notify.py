"""Subscription messages against asyncua's encoder, and bytes gone wrong."""

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from mingwu.field.opcua import notify, rawcall
from mingwu.field.opcua.layout import learn
from mingwu.field.opcua.scan import Malformed

VT = ua.VariantType


def reply(found):
    """Bytes of a response and where its parameters begin, as the channel hands them over."""
    body = struct_to_binary(found)
    return body, rawcall._reply_header(body)


def publish_response(data, sequence=7):
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 3
    response.Parameters.AvailableSequenceNumbers = [5, 6, 7]
    response.Parameters.NotificationMessage.SequenceNumber = sequence
    response.Parameters.NotificationMessage.NotificationData = data
    return response


def test_data_changes_are_found():
    items = [
        ua.MonitoredItemNotification(handle, ua.DataValue(ua.Variant(float(handle), VT.Double)))
        for handle in (9, 4)
    ]
    body, (kind, result, pos) = reply(
        publish_response([ua.DataChangeNotification(MonitoredItems=items)])
    )
    assert (kind, result) == (rawcall.PUBLISH_REPLY, 0)
    found = notify.published(body, pos)
    assert (found.subscription, found.sequence, found.keepalive, found.status) == (
        3,
        7,
        False,
        None,
    )
    ((at, count),) = found.changes
    layout = learn(body, at, count, 4)
    assert layout.handles(body, at).tolist() == [9, 4]
    assert layout.cells(body, at).value.tolist() == [9.0, 4.0]


def test_keepalive_and_status_change():
    body, (_, _, pos) = reply(publish_response([]))
    assert notify.published(body, pos).keepalive
    ended = ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))
    body, (_, _, pos) = reply(publish_response([ended]))
    assert notify.published(body, pos).status == ua.StatusCodes.BadTimeout


def test_requests_are_what_asyncua_reads():
    body = notify.create_items(12, [notify.Item(b"\3\2\0\1\0\0\0x", 5, 250.0, 3)])
    found = struct_from_binary(ua.CreateMonitoredItemsParameters, ua.utils.Buffer(body))
    (item,) = found.ItemsToCreate
    assert found.SubscriptionId == 12
    assert found.TimestampsToReturn == ua.TimestampsToReturn.Source
    assert item.ItemToMonitor.NodeId == ua.NodeId("x", 2)
    assert item.ItemToMonitor.AttributeId == ua.AttributeIds.Value
    assert item.MonitoringMode == ua.MonitoringMode.Reporting
    assert item.RequestedParameters.ClientHandle == 5
    assert item.RequestedParameters.SamplingInterval == 250.0
    assert (item.RequestedParameters.QueueSize, item.RequestedParameters.DiscardOldest) == (3, True)
    found = struct_from_binary(
        ua.CreateSubscriptionParameters, ua.utils.Buffer(notify.create_subscription(500.0, 60, 4))
    )
    assert found.RequestedPublishingInterval == 500.0
    assert (found.RequestedLifetimeCount, found.RequestedMaxKeepAliveCount) == (60, 4)
    assert found.PublishingEnabled
    found = struct_from_binary(
        ua.PublishParameters, ua.utils.Buffer(notify.publish([(1, 2), (3, 4)]))
    )
    pairs = [(a.SubscriptionId, a.SequenceNumber) for a in found.SubscriptionAcknowledgements]
    assert pairs == [(1, 2), (3, 4)]


def test_results_of_items():
    response = ua.CreateMonitoredItemsResponse()
    response.Results = [
        ua.MonitoredItemCreateResult(ua.StatusCode(code), 1, 100.0, 1)
        for code in (0, ua.StatusCodes.BadNodeIdUnknown)
    ]
    body, (_, _, pos) = reply(response)
    assert notify.created_items(body, pos, 2) == [0, ua.StatusCodes.BadNodeIdUnknown]
    with pytest.raises(Malformed):
        notify.created_items(body, pos, 3)


def test_a_reply_with_diagnostics_in_its_header_is_understood():
    response = publish_response([])
    response.ResponseHeader.StringTable = ["one", "two"]
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.GoodOverload)
    body, (kind, result, pos) = reply(response)
    assert (kind, result) == (rawcall.PUBLISH_REPLY, ua.StatusCodes.GoodOverload)
    assert notify.published(body, pos).subscription == 3


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_malformed(body):
    for parse in (
        lambda: notify.published(body, 0),
        lambda: notify.message(body, 0, 1),
        lambda: notify.created_items(body, 0, 2),
        lambda: notify.created_subscription(body, 0),
        lambda: rawcall._reply_header(body),
    ):
        try:
            parse()
        except Malformed:
            continue
