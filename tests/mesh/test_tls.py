"""TLS as every process serves and dials it: certificates are checked on both sides."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import grpc
import pytest
import trustme

from hushlink.mesh.v1 import server_service_pb2, server_service_pb2_grpc
from hushlink_mesh import channel, config, server


class Papers:
    """An authority, a server's certificate and a client's, as files."""

    def __init__(self, folder: pathlib.Path) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        self.server, self.client = folder / "server", folder / "client"
        for paper, certificate in (
            (self.server, authority.issue_cert("127.0.0.1")),
            (self.client, authority.issue_cert("c")),
        ):
            chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
            paper.with_suffix(".pem").write_bytes(chain)
            certificate.private_key_pem.write_to_path(str(paper.with_suffix(".key")))


@pytest.fixture
def papers(tmp_path: pathlib.Path) -> Papers:
    return Papers(tmp_path)


@pytest.fixture
async def address(papers: Papers) -> AsyncIterator[str]:
    settings = config.read(
        config.ProcessConfig,
        tls_certificate=papers.server.with_suffix(".pem"),
        tls_key=papers.server.with_suffix(".key"),
        tls_client_ca=papers.ca,
        stop_grace_seconds=0,
    )
    async with server.serving(settings, "test", [], []) as running:
        yield running.address


async def service_named(address: str, settings: config.ChannelConfig) -> str:
    async with channel.connect(address, settings) as connection:
        stub = server_service_pb2_grpc.ServerServiceStub(connection)
        answer = await stub.GetServerInfo(server_service_pb2.GetServerInfoRequest(), timeout=20)
        return answer.service


async def test_both_sides_with_papers_understand_each_other(address: str, papers: Papers) -> None:
    settings = config.ChannelConfig(
        ca=papers.ca, certificate=papers.client.with_suffix(".pem"), key=papers.client.with_suffix(".key")
    )
    assert await service_named(address, settings) == "test"


async def test_a_client_without_papers_is_refused(address: str, papers: Papers) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service_named(address, config.ChannelConfig(ca=papers.ca))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_of_another_authority_is_refused(address: str, papers: Papers, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    others = Papers(folder)
    settings = config.ChannelConfig(
        ca=others.ca, certificate=papers.client.with_suffix(".pem"), key=papers.client.with_suffix(".key")
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await service_named(address, settings)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_plain_client_is_refused(address: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await service_named(address, config.ChannelConfig())
