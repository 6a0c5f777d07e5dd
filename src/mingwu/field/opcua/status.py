"""OPC UA status codes (OPC 10000-4, 7.39; numbers of OPC 10000-6, A.2) as our quality byte.

Bits 31-30 are the severity (00 good, 01 uncertain, 1x bad), bits 29-16 the code. What stands
below those (structure changed, limit and overflow bits) does not change the quality. Codes the
table does not name keep their severity, with the reason that it is the server that says so.
"""

import numpy as np
import numpy.typing as npt

from mingwu.kernel.quality import GOOD, Reason, bad, uncertain

GOOD_CODE = 0x0000_0000
BAD_NODE_ID_UNKNOWN = 0x8034_0000
BAD_NO_SUBSCRIPTION = 0x8079_0000
BAD_TOO_MANY_OPERATIONS = 0x8010_0000
BAD_TOO_MANY_PUBLISH_REQUESTS = 0x8078_0000
BAD_TOO_MANY_MONITORED_ITEMS = 0x80DB_0000
# Answers that mean "ask for less at once".
TOO_LARGE = frozenset(
    {
        BAD_TOO_MANY_OPERATIONS,
        0x8008_0000,  # BadEncodingLimitsExceeded
        0x80B8_0000,  # BadRequestTooLarge
        0x80B9_0000,  # BadResponseTooLarge
    }
)

_REASONS = {
    0x8002_0000: Reason.SERVER_STATUS,  # BadInternalError
    0x8003_0000: Reason.BUSY,  # BadOutOfMemory
    0x8004_0000: Reason.BUSY,  # BadResourceUnavailable
    0x8005_0000: Reason.NOT_CONNECTED,  # BadCommunicationError
    0x8006_0000: Reason.MALFORMED,  # BadEncodingError
    0x8007_0000: Reason.MALFORMED,  # BadDecodingError
    0x800A_0000: Reason.TIMEOUT,  # BadTimeout
    0x800D_0000: Reason.NOT_CONNECTED,  # BadServerNotConnected
    0x800E_0000: Reason.OUT_OF_SERVICE,  # BadServerHalted
    BAD_TOO_MANY_OPERATIONS: Reason.BUSY,
    0x8011_0000: Reason.CONVERSION,  # BadDataTypeIdUnknown
    0x801F_0000: Reason.ACCESS_DENIED,  # BadUserAccessDenied
    0x8031_0000: Reason.NOT_CONNECTED,  # BadNoCommunication
    0x8032_0000: Reason.INITIALISING,  # BadWaitingForInitialData
    0x8033_0000: Reason.BAD_ADDRESS,  # BadNodeIdInvalid
    BAD_NODE_ID_UNKNOWN: Reason.BAD_ADDRESS,
    0x8035_0000: Reason.BAD_ADDRESS,  # BadAttributeIdInvalid
    0x8036_0000: Reason.BAD_ADDRESS,  # BadIndexRangeInvalid
    0x8037_0000: Reason.BAD_ADDRESS,  # BadIndexRangeNoData
    0x803A_0000: Reason.ACCESS_DENIED,  # BadNotReadable
    0x803C_0000: Reason.OUT_OF_RANGE,  # BadOutOfRange
    0x803D_0000: Reason.BAD_ADDRESS,  # BadNotSupported
    0x803E_0000: Reason.BAD_ADDRESS,  # BadNotFound
    0x803F_0000: Reason.BAD_ADDRESS,  # BadObjectDeleted
    0x8074_0000: Reason.CONVERSION,  # BadTypeMismatch
    0x8089_0000: Reason.BAD_ADDRESS,  # BadConfigurationError
    0x808A_0000: Reason.NOT_CONNECTED,  # BadNotConnected
    0x808B_0000: Reason.DEVICE_FAILURE,  # BadDeviceFailure
    0x808C_0000: Reason.DEVICE_FAILURE,  # BadSensorFailure
    0x808D_0000: Reason.OUT_OF_SERVICE,  # BadOutOfService
    0x809B_0000: Reason.INITIALISING,  # BadNoData
    BAD_TOO_MANY_MONITORED_ITEMS: Reason.BUSY,
    0x80E6_0000: Reason.ACCESS_DENIED,  # BadSecurityModeInsufficient
    0x408F_0000: Reason.LAST_KNOWN,  # UncertainNoCommunicationLastUsableValue
    0x4090_0000: Reason.LAST_KNOWN,  # UncertainLastUsableValue
    0x4091_0000: Reason.SUBSTITUTED,  # UncertainSubstituteValue
    0x4092_0000: Reason.INITIALISING,  # UncertainInitialValue
    0x4093_0000: Reason.DEVICE_FAILURE,  # UncertainSensorNotAccurate
    0x4094_0000: Reason.OUT_OF_RANGE,  # UncertainEngineeringUnitsExceeded
    0x4095_0000: Reason.DEVICE_FAILURE,  # UncertainSubNormal
    0x0096_0000: Reason.SUBSTITUTED,  # GoodLocalOverride
}


def quality_of(code: int) -> int:
    """The quality byte of one status code."""
    severity = code >> 30
    reason = _REASONS.get(code & 0xFFFF_0000, Reason.SERVER_STATUS)
    if severity == 0:
        return GOOD | (reason if reason is Reason.SUBSTITUTED else Reason.NONE)
    return uncertain(reason) if severity == 1 else bad(reason)


def qualities(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """The quality column of a column of status codes."""
    if not codes.any():
        return np.full(len(codes), GOOD, np.uint8)
    kinds, where = np.unique(codes, return_inverse=True)
    table = np.array([quality_of(code) for code in kinds.tolist()], np.uint8)
    return table[where]
