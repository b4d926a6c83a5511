import { assertEquals, assertThrows } from "@std/assert";
import { formatCpuList, parseCpuList } from "./cpu_list.ts";

Deno.test("parseCpuList() reads numbers and ranges in any order, each CPU once", () => {
  assertEquals(parseCpuList("0-3,8,10-11"), [0, 1, 2, 3, 8, 10, 11]);
  assertEquals(parseCpuList(" 5 , 2-3, 3 ,5"), [2, 3, 5]);
  assertEquals(parseCpuList("8191"), [8191]);
});

Deno.test("parseCpuList() names the part that is wrong", () => {
  const bad: [string, string][] = [
    ["", "a part is empty"],
    ["0,,2", "a part is empty"],
    ["0-3,x", '"x" is neither'],
    ["1-", '"1-" is neither'],
    ["-1", '"-1" is neither'],
    ["1-2-3", '"1-2-3" is neither'],
    ["1.5", '"1.5" is neither'],
    ["0x2", '"0x2" is neither'],
    ["0,5-2", '"5-2" ends before it begins'],
    ["0-8192", '"0-8192" has a number that is not below 8192'],
    ["99999999999999999999", "not below 8192"],
  ];
  for (const [text, message] of bad) assertThrows(() => parseCpuList(text), RangeError, message);
});

Deno.test("formatCpuList() writes what parseCpuList() reads", () => {
  assertEquals(formatCpuList([]), "");
  assertEquals(formatCpuList([3, 1, 2, 2, 8]), "1-3,8");
  for (const text of ["0", "0-3,8,10-11", "0,2,4"]) assertEquals(formatCpuList(parseCpuList(text)), text);
});
