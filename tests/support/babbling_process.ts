// A process that writes text where frames are expected.
console.log("Hello, I am no engine");
setInterval(() => {}, 1000);
