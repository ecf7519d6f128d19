// The cells of three recurrent networks, and all that they compute for a text. Gate order and biases are PyTorch's.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The tables of a file: {shape, scale, int8 in base64} -> rows of numbers; one row where the shape is one number. */
export function unpack(tables) {
  return Object.fromEntries(Object.entries(tables).map(([name, { shape, scale, int8 }]) => {
    const bytes = Int8Array.from(atob(int8), (letter) => letter.charCodeAt(0)), width = shape.at(-1);
    const rows = Array.from({ length: bytes.length / width }, (_, row) => Array.from(bytes.subarray(row * width, (row + 1) * width), (byte) => byte * scale));
    return [name, shape.length === 1 ? rows[0] : rows];
  }));
}

const apply = (matrix, vector, bias) => matrix.map((row, place) => row.reduce((sum, value, column) => sum + value * vector[column], bias[place]));
/** Cut the rows of all gates into one part a gate. */
const parts = (values, size) => Array.from({ length: values.length / size }, (_, gate) => values.slice(gate * size, (gate + 1) * size));
const join = (call, ...vectors) => vectors[0].map((_, unit) => call(...vectors.map((vector) => vector[unit])));

// Each step: what the word gives, what the state gives (gates x units), the state before -> the state after, and gates.
const STEPS = {
  rnn: ([x], [u]) => ({ hidden: join((a, b) => Math.tanh(a + b), x, u) }),
  gru: (x, u, before) => {
    const [reset, keep] = [0, 1].map((gate) => join((a, b) => sigmoid(a + b), x[gate], u[gate]));
    const candidate = join((a, r, b) => Math.tanh(a + r * b), x[2], reset, u[2]);
    return { hidden: join((z, n, h) => (1 - z) * n + z * h, keep, candidate, before.hidden), keep, reset, candidate };
  },
  lstm: (x, u, before) => {
    const [input, forget, , output] = [0, 1, 2, 3].map((gate) => join((a, b) => sigmoid(a + b), x[gate], u[gate]));
    const candidate = join((a, b) => Math.tanh(a + b), x[2], u[2]);
    const cell = join((f, c, i, g) => f * c + i * g, forget, before.cell, input, candidate);
    return { hidden: join((o, c) => o * Math.tanh(c), output, cell), cell, forget, input, output, candidate };
  },
};

function softmax(logits) {
  const powers = logits.map((each) => Math.exp(each - Math.max(...logits)));
  const sum = powers.reduce((one, other) => one + other);
  return powers.map((each) => each / sum);
}

/** Let one network read word vectors: hidden state, gates and the probability of each class after every word. */
export function read(tables, name, vectors) {
  const table = (part) => tables[`${name}.${part}`], zeros = new Array(table("hidden")[0].length).fill(0), steps = [];
  for (const vector of vectors) {
    const before = steps.at(-1) ?? { hidden: zeros, cell: zeros };
    const x = parts(apply(table("input"), vector, table("input_bias")), zeros.length);
    const u = parts(apply(table("hidden"), before.hidden, table("hidden_bias")), zeros.length);
    const after = STEPS[name](x, u, before);
    steps.push({ ...after, probabilities: softmax(apply(table("head"), after.hidden, table("head_bias"))) });
  }
  return steps;
}

/** The words of a text as the networks know them: with its apostrophe, or one other character. */
export const wordsOf = (text) => text.toLowerCase().replaceAll("’", "'").match(/[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]/gu) ?? [];
