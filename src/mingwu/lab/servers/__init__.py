"""The plant's sockets: Modbus TCP and RTU, OPC UA, MQTT publishers, the MES table.

Each server is compiled from a device's resolved tags and shows the readings of its station,
through a :class:`~mingwu.lab.gate.Gate` that the fault injection works on.
"""
