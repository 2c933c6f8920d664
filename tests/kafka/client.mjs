// A Kafka client that is not ours, for tests/kafka_test.py: kafkajs, and protobufjs with the
// committed streaming/shanhuo.proto.
//   node client.mjs produce BOOTSTRAP TOPIC        records from standard input, one JSON a line:
//     {key, json|event|text: value, headers?, partition?}; `event` is encoded as wire.Event, with a
//     field that the schema lacks when `newer` is set; without a value it is a tombstone
//   node client.mjs transact BOOTSTRAP TOPIC commit|abort    the same, in one transaction
//   node client.mjs consume BOOTSTRAP TOPIC MESSAGE COUNT    prints what it read, values decoded as
//     wire.MESSAGE
//   node client.mjs topics BOOTSTRAP PREFIX PARTITIONS       makes Shanhuo's four
//   node client.mjs drop BOOTSTRAP TOPIC
//   node client.mjs cut BOOTSTRAP TOPIC     drops all but each partition's last record
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import kafkajs from "kafkajs";
import protobuf from "protobufjs";

const [, , verb, bootstrap, topic, ...rest] = process.argv;
const proto = fileURLToPath(new URL("../../streaming/shanhuo.proto", import.meta.url));
const wire = (await new protobuf.Root().load(proto, { keepCase: true })).lookup("shanhuo.wire");
const kafka = new kafkajs.Kafka({
  clientId: "somebody-else",
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
});

// Field 1000 of wire type 2: what a newer producer may send.
const NEWER_FIELD = Buffer.from([0xc2, 0x3e, 3, 0x6e, 0x65, 0x77]);

function encoded(line) {
  if ("json" in line) return JSON.stringify(line.json);
  if ("text" in line) return line.text;
  if (!("event" in line)) return null;
  const event = Buffer.from(wire.Event.encode(wire.Event.fromObject(line.event)).finish());
  return line.newer ? Buffer.concat([event, NEWER_FIELD]) : event;
}

async function lines() {
  const all = [];
  for await (const text of createInterface({ input: process.stdin })) {
    if (text === "") continue;
    const line = JSON.parse(text);
    all.push({
      key: line.key,
      value: encoded(line),
      headers: line.headers,
      partition: line.partition,
    });
  }
  return all;
}

async function produce(transaction) {
  const messages = await lines();
  const id = { transactionalId: `t-${process.pid}`, maxInFlightRequests: 1, idempotent: true };
  const producer = kafka.producer(transaction ? id : {});
  await producer.connect();
  const sender = transaction ? await producer.transaction() : producer;
  await sender.send({ topic, messages, acks: -1 });
  if (transaction) await (transaction === "commit" ? sender.commit() : sender.abort());
  await producer.disconnect();
}

async function consume(message, count) {
  const consumer = kafka.consumer({ groupId: `reader-${process.pid}-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const type = wire.lookupType(message);
  const plain = { longs: Number, bytes: String, defaults: true };
  let left = Number(count);
  await new Promise((done) => {
    consumer.run({
      eachMessage: async ({ partition, message: record }) => {
        const headers = Object.entries(record.headers).map(([name, text]) => [name, `${text}`]);
        const shown = {
          partition,
          offset: Number(record.offset),
          key: record.key?.toString(),
          headers: Object.fromEntries(headers),
          value: type.toObject(type.decode(record.value), plain),
        };
        process.stdout.write(`${JSON.stringify(shown)}\n`);
        if (--left === 0) done();
      },
    });
  });
  await consumer.disconnect();
}

async function administrate(work) {
  const admin = kafka.admin();
  await admin.connect();
  await work(admin);
  await admin.disconnect();
}

function shanhuoTopics(prefix, partitions) {
  const stamped = { name: "message.timestamp.type", value: "LogAppendTime" };
  const roomy = { name: "max.message.bytes", value: "8388608" };
  const compacted = { name: "cleanup.policy", value: "compact" };
  return [
    { topic: `${prefix}items`, numPartitions: 1, configEntries: [stamped, compacted] },
    { topic: `${prefix}interactions`, numPartitions: Number(partitions), configEntries: [stamped] },
    { topic: `${prefix}decisions`, numPartitions: 1, configEntries: [stamped] },
    { topic: `${prefix}dead-letters`, numPartitions: 1, configEntries: [stamped, roomy] },
  ];
}

// Waits until the broker knows them: kafkajs's own waiting gives up where a broker that is busy
// has made them and does not say so yet.
async function createTopics(admin, topics) {
  for (let tries = 1; ; ++tries) {
    try {
      await admin.createTopics({ topics, waitForLeaders: false });
      break;
    } catch (error) {
      // A broker that has just started answers before its controller counts it.
      const early = error.errors?.every(({ type }) =>
        ["INVALID_REPLICATION_FACTOR", "TOPIC_ALREADY_EXISTS"].includes(type));
      if (!early || tries === 100) throw error;
      await new Promise((done) => setTimeout(done, 200));
    }
  }
  const names = topics.map(({ topic: name }) => name);
  for (;;) {
    try {
      const known = await admin.fetchTopicMetadata({ topics: names });
      const led = known.topics.flatMap((each) => each.partitions).every((each) => each.leader >= 0);
      if (led) return;
    } catch (error) {
      if (!error.retriable) throw error;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

if (verb === "topics") {
  const topics = shanhuoTopics(topic, rest[0]);
  await administrate((admin) => createTopics(admin, topics));
} else if (verb === "drop") await administrate((admin) => admin.deleteTopics({ topics: [topic] }));
else if (verb === "cut") {
  await administrate(async (admin) => {
    const ends = await admin.fetchTopicOffsets(topic);
    const partitions = ends.map(({ partition, high }) => ({ partition, offset: `${high - 1}` }));
    await admin.deleteTopicRecords({ topic, partitions });
  });
} else if (verb === "produce") await produce("");
else if (verb === "transact") await produce(rest[0]);
else if (verb === "consume") await consume(rest[0], rest[1]);
else throw new Error(`no verb ${verb}`);
