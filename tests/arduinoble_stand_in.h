/* The part of ArduinoBLE that kd_board_ble.cpp uses, with the types that its reference gives them. A
 * stand-in, as arduino_stand_in.h is one. */
#ifndef ARDUINOBLE_STAND_IN_H
#define ARDUINOBLE_STAND_IN_H

#include <stdint.h>

enum BLEProperty { BLEWriteWithoutResponse = 0x04, BLEWrite = 0x08, BLENotify = 0x10 };
enum BLECharacteristicEvent { BLESubscribed = 0, BLEUnsubscribed = 1, BLEWritten = 3 };
enum BLEDeviceEvent { BLEConnected = 0, BLEDisconnected = 1 };

class BLEDevice
{
};
class BLECharacteristic;
typedef void (*BLECharacteristicEventHandler)(BLEDevice device, BLECharacteristic characteristic);
typedef void (*BLEDeviceEventHandler)(BLEDevice device);

class BLECharacteristic
{
public:
    BLECharacteristic(const char *uuid, uint8_t properties, int valueSize, bool fixedLength = false);
    virtual ~BLECharacteristic();
    const uint8_t *value() const;
    int valueLength() const;
    int writeValue(const uint8_t value[], int length);
    bool subscribed();
    void setEventHandler(int event, BLECharacteristicEventHandler eventHandler);
};

class BLEService
{
public:
    BLEService(const char *uuid);
    virtual ~BLEService();
    void addCharacteristic(BLECharacteristic &characteristic);
};

class BLELocalDevice
{
public:
    virtual ~BLELocalDevice();
    int begin();
    void poll();
    int advertise();
    void addService(BLEService &service);
    void setDeviceName(const char *deviceName);
    void setLocalName(const char *localName);
    void setAdvertisedService(const BLEService &service);
    void setEventHandler(BLEDeviceEvent event, BLEDeviceEventHandler eventHandler);
};
extern BLELocalDevice &BLE;

#endif
