// Run by `side_by_side.py` in the folder that has @erc7730/sdk: the calls of work.json, and a row as JSON.
// Without providers and look-ups: nothing here may ask the network. Each call gets its own descriptor.
import { readFileSync } from "node:fs";
import { ClearSigner } from "@erc7730/sdk";

const work = JSON.parse(readFileSync(process.argv[2], "utf8"));
const signers = work.calls.map((call) => {
  try {
    return new ClearSigner({
      provider: null,
      useSourcifyFallback: false,
      registry: { custom: [call.descriptor] },
    });
  } catch {
    return null;
  }
});

async function outcome(call, signer) {
  try {
    return await signer.decode({ to: call.to, data: call.data, chainId: call.chain, value: BigInt(call.value) });
  } catch {
    return null;
  }
}

const labelsOf = (fields) => JSON.stringify(fields.map((each) => each.label));
const valuesOf = (fields) => JSON.stringify(fields.map((each) => each.value));
const hasLabels = (found, expected) =>
  found !== null && found.intent === expected.intent && labelsOf(found.fields) === labelsOf(expected.fields);

let passed = 0;
let labels = 0;
let errors = 0;
for (const [place, call] of work.calls.entries()) {
  const found = await outcome(call, signers[place]);
  errors += found === null;
  if (hasLabels(found, call.expected)) {
    labels += 1;
    passed += valuesOf(found.fields) === valuesOf(call.expected.fields);
  }
}
const means = [];
for (let round = 0; round < work.rounds; round += 1) {
  const before = performance.now();
  for (const [place, call] of work.calls.entries()) await outcome(call, signers[place]);
  means.push((performance.now() - before) / work.calls.length);
}
means.sort((one, other) => one - other);
const milliseconds = means[Math.floor(means.length / 2)];
console.log(JSON.stringify({ passed, labels, milliseconds, note: `${errors} calls end in an error` }));
