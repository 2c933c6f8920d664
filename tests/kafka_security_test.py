#!/usr/bin/env python3
"""TLS, SASL PLAIN and SCRAM between the engine and a real broker, and what is said when they fail.
Fails, not skips, without a broker. Run: python3 tests/kafka_security_test.py"""

import re
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import kafka_broker
from engine_process import Engine, good

BROKER, KEYS, PORTS = None, None, {}
USER, SECRET, SCRAM_SECRET = "engine", "plain-secret-7f3a", "scram-secret-9b1c"
CONFIG = """listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\
SSL:SSL,SASL_SSL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={keys}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={keys}/ca.crt
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{secret}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=KEYS, capture_output=True, check=True)


def make_authority(name):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.crt")


def make_certificate(name):
    """NAME.crt and NAME.key, signed by ca."""
    Path(KEYS, "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="utf-8")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", f"{name}.crt")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def setUpModule():
    global BROKER, KEYS
    kafka_broker.require()
    folder = tempfile.TemporaryDirectory(prefix="shanhuo-keys-")
    unittest.addModuleCleanup(folder.cleanup)
    KEYS = folder.name
    make_authority("ca")
    make_authority("stranger")
    for name in ("broker", "engine"):
        make_certificate(name)
    pem = "".join(Path(KEYS, f"broker.{end}").read_text(encoding="utf-8") for end in ("key", "crt"))
    Path(KEYS, "broker.pem").write_text(pem, encoding="utf-8")
    config = Path(KEYS, "broker.properties")
    config.write_text(CONFIG.format(keys=KEYS, user=USER, secret=SECRET), encoding="utf-8")
    PORTS["SSL"], PORTS["SASL_SSL"] = free_ports(2)
    listeners = ",".join(f"{name}://localhost:{port}" for name, port in PORTS.items())
    BROKER = kafka_broker.of_module(KAFKA_LISTENERS=listeners, KAFKA_ADVERTISED=listeners,
                                    KAFKA_PROPERTIES=str(config))
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
        BROKER.script("tool", "kafka.admin.ConfigCommand", "--bootstrap-server", BROKER.bootstrap,
                      "--alter", "--entity-type", "users", "--entity-name", USER,
                      "--add-config", f"{mechanism}=[iterations=4096,password={SCRAM_SECRET}]")


class Security(unittest.TestCase):
    def engine(self, listener, secret=None, **settings):
        """One that is not started yet, and may use only that listener."""
        engine = BROKER.engine(
            BROKER.topics(1), start=False, kafka__bootstrap=f"localhost:{PORTS[listener]}",
            kafka__security_protocol=listener.lower(), kafka__ssl_ca_location=f"{KEYS}/ca.crt",
            **settings)
        self.addCleanup(engine.close)
        if secret:
            file = engine.config_dir / "password"
            file.write_text(secret + "\n", encoding="utf-8")
            engine.settings.update({"kafka.sasl_username": USER, "kafka.sasl_password_file": file})
        return engine

    def works(self, engine):
        engine.start()
        engine.put_items(good("g1"))
        engine.send({"event_id": "e1", "type": "click", "user_id": "u", "item_id": "g1",
                     "ts_ms": 1, "surface": "feed"})
        self.assertEqual(engine.rank(["g1"])["items"][0]["item_id"], "g1")
        self.assertEqual(engine.stop(), 0)

    def refused(self, engine, why):
        """What an engine says that does not start. A busy machine may give up on the connection
        before anybody has said what is wrong with it: then it waits longer."""
        for engine.settings["kafka.open_timeout_ms"] in (1_500, 6_000, 20_000):
            with self.assertRaises(AssertionError) as refused:
                engine.start()
            engine.process.stdout.close()
            said = str(refused.exception)
            if re.search(why, said):
                return said
        self.fail(said)

    def silent_about(self, secret, engine, *texts):
        """The secret stands in its own file alone."""
        for text in (engine.stderr(), *texts):
            self.assertNotIn(secret, text)

    def test_tls_with_a_certificate_of_the_engine(self):
        self.works(self.engine("SSL", kafka__ssl_certificate_location=f"{KEYS}/engine.crt",
                               kafka__ssl_key_location=f"{KEYS}/engine.key"))

    def test_a_broker_of_an_unknown_authority_is_refused(self):
        engine = self.engine("SASL_SSL", SECRET, kafka__sasl_mechanism="PLAIN")
        engine.settings["kafka.ssl_ca_location"] = f"{KEYS}/stranger.crt"
        self.refused(engine, "certificate verify failed")

    def test_an_engine_without_a_certificate_is_refused_where_one_is_asked_for(self):
        self.refused(self.engine("SSL"), r"kafka: localhost:\d+: .*SSL")

    def test_sasl_plain(self):
        engine = self.engine("SASL_SSL", SECRET, kafka__sasl_mechanism="PLAIN")
        self.works(engine)
        self.silent_about(SECRET, engine)

    def test_scram_of_both_kinds(self):
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            with self.subTest(mechanism):
                engine = self.engine("SASL_SSL", SCRAM_SECRET, kafka__sasl_mechanism=mechanism)
                self.works(engine)
                self.silent_about(SCRAM_SECRET, engine)

    def test_a_wrong_password_is_named_as_the_cause_and_never_shown(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            with self.subTest(mechanism):
                wrong = "wrong-secret-5d2e"
                engine = self.engine("SASL_SSL", wrong, kafka__sasl_mechanism=mechanism)
                said = self.refused(
                    engine, "(?i)authentication failed|invalid username or password")
                self.silent_about(wrong, engine, said)

    def test_a_mechanism_that_librdkafka_does_not_know_is_an_error_of_the_setting(self):
        engine = self.engine("SASL_SSL", SECRET, kafka__sasl_mechanism="CRAM-MD5")
        said = self.refused(engine, "kafka: ")
        self.silent_about(SECRET, engine, said)


if __name__ == "__main__":
    unittest.main()
