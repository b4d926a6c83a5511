// A worker that ends itself without a word when it is asked to load.
self.onmessage = () => self.close();
