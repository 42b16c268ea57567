// Filters as the API takes them, [operator, dimension, values]; all of them must hold.

import { fullName, isDimension, shortName } from "./dimensions.js";

export const OPERATORS = { is: "is", is_not: "is not", contains: "contains", contains_not: "does not contain" };

// One filter for each operator and dimension: a new one takes the place of the one that is there.
export function added(filters, filter) {
  const [operator, dimension] = filter;
  const isSame = (each) => each[0] === operator && each[1] === dimension;
  return filters.some(isSame) ? filters.map((each) => (isSame(each) ? filter : each)) : [...filters, filter];
}

export const without = (filters, index) => filters.filter((_, place) => place !== index);

export const isFilteredBy = (filters, dimension, value) =>
  filters.some(([operator, name, values]) => operator === "is" && name === dimension && values.includes(value));

// Whether only who reached a goal is left.
export const isOfGoal = (filters) =>
  filters.some(([operator, dimension]) => dimension === "event:goal" && (operator === "is" || operator === "contains"));

// In the address: is,page,/docs,/blog. A comma within a value is written %2C, and ! is what is unknown.
export function written([operator, dimension, values]) {
  const words = values.map((value) => (value === null ? "!" : value.replace(/[%,!]/g, escaped)));
  return [operator, shortName(dimension), ...words].join(",");
}

const escaped = (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;

// What an address says, or null where that is no filter.
export function read(text) {
  const [operator, short, ...words] = text.split(",");
  const dimension = fullName(short ?? "");
  if (!(operator in OPERATORS) || !dimension || !isDimension(dimension) || !words.length) return null;
  const values = words.map((word) => (word === "!" ? null : word.replace(/%(25|2C|21)/g, unescaped)));
  return operator.startsWith("contains") && values.includes(null) ? null : [operator, dimension, values];
}

const unescaped = (_, code) => String.fromCharCode(parseInt(code, 16));
